"""What the workflows in `.github/` compute: supported versions, checks of a release, its notes.

It needs only the standard library, and runs before anything is installed.
"""

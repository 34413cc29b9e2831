"""The places where logins are stored.

password_store    what a login store requires of a place
keyring_package   the keyring of the user: Secret Service, Windows, others
macos_keychain    the keychain of macOS
notebook_file     the file of Flyte's SDK in notebooks without a keyring
daemon_calls      blocking calls that may never return, as those of a keyring
"""

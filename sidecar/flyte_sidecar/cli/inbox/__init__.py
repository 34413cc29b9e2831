"""The verb `inbox`: the waiting events of a backend, live, and answers to them.

session       the backend, its events, logins and writes; both modes use it
event_list    the list: rows, filter, selection
controller    what keys do
scrolling     the position in the text of a page
keys          the keys
cells         other people's text in columns
columns, pages, screen
              the list, an event and the help, as lines with styles
full_screen   the full-screen mode, on prompt_toolkit
plain         the plain mode: lines only
"""

"""Logins that a person must finish.

prompt             whether a request may ask a person, and what the person sees
shown              shows a login until it is finished, fails or is cancelled
failures           errors of such logins, with the remedy
log_in             selects how the person logs in: in a browser, or by a code
browser_login      the login in a browser of this machine
browser            opens that browser
loopback_listener  receives what the browser brings
device_login       the login by a code on another device
"""

"""The checks of `flyte-sidecar doctor`.

finding       what a check finds: one line, with what to do next
run           runs checks one after the other, each for a limited time
installation  the version, and other installations that a shell or an editor may start
environment   the terminal, the standard streams, the log file
selection     the backend that is used, and by what it is selected
store         the embedded store, and the events in it
local_runs    whether local runs of Flyte's SDK are served
extras        optional packages
deployment    a Flyte deployment: the config, the network, the login, what it permits
network       name resolution, TCP, TLS and the clock
failures      what to do after a request to a deployment has failed
"""

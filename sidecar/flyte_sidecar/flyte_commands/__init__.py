"""The commands `flyte pending` and `flyte answer` in the CLI of Flyte's SDK.

commands    the commands, as the CLI loads them: their arguments and help
backends    the embedded store and the deployment that the CLI is configured for
listing     what `flyte pending` does
answering   what `flyte answer` does
completion  completion of its arguments in a shell

The CLI of SDKs before 2.10 imports `commands` at every start, so that it imports the rest on use.
"""

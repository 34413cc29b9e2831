"""Conditions of local runs of Flyte's SDK, as events of the embedded store.

    hook              waits for the import of the SDK's local controller
    replaced_methods  the methods of the local controller that are replaced
    sdk               the SDK's names, which differ between its releases
    recorder          stands in for the SDK's recorder of a run, up to the wait and after it
    waiting           waits for a condition in place of the SDK's method
    race              the first answer: from the store, the terminal or the SDK's TUI
    run_store         the store, on the package's background loop
    open_waits        ends the events of a task or a process that ends
    sources           where a person at the process of a run can answer
    tui               the answer of the SDK's TUI
    notices           lines on stderr
    terminal/         prompts at the terminal of the run, which can be taken back

The SDK calls `install` in every process that uses it, so nothing else is imported before that
process runs a task locally.
"""

from __future__ import annotations

import functools


@functools.cache
def install() -> None:
    """Install the hook once; an entry point of the SDK's plugins. It raises nothing."""
    try:
        from flyte_sidecar.local_runs import hook

        hook.install()
    except Exception as error:
        import logging

        logging.getLogger(__name__).info("local runs are not served: %r", error)

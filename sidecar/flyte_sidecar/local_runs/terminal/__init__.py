"""Prompts at the terminal of a local run, which can be taken back.

terminal_prompt   the prompt of one condition, which event loops await
prompt_queue      all prompts, of which one at a time is shown, and the thread that reads answers
question          the text of a prompt, and the rows that it takes
terminal_device   the terminal: what a system has to provide
posix_terminal    the terminal of POSIX systems
windows_terminal  the console of Windows
other_output      notices what others print below a prompt
direct_output     notices output that bypasses Python's streams, on Linux
"""

from flyte_sidecar.local_runs.terminal.prompt_queue import TerminalClosed
from flyte_sidecar.local_runs.terminal.question import Question
from flyte_sidecar.local_runs.terminal.terminal_prompt import TerminalPrompt, has_terminal

__all__ = ["Question", "TerminalClosed", "TerminalPrompt", "has_terminal"]

"""Prompts at the terminal, which can be taken back.

terminal_prompt   one prompt, which event loops await
prompt_queue      all prompts, of which one at a time is shown, and the thread that reads answers
question          what a prompt asks, and the rows that it takes
condition_question
                  the question of a condition, with the look of the SDK's prompt
terminal_device   the terminal: what a system has to provide
posix_terminal    the terminal of POSIX systems
windows_terminal  the console of Windows
other_output      notices what others print below a prompt
direct_output     notices output that bypasses Python's streams, on Linux
"""

from flyte_sidecar.local_runs.terminal.condition_question import ConditionQuestion
from flyte_sidecar.local_runs.terminal.prompt_queue import TerminalClosed
from flyte_sidecar.local_runs.terminal.question import Question, Rendered
from flyte_sidecar.local_runs.terminal.terminal_device import Size
from flyte_sidecar.local_runs.terminal.terminal_prompt import TerminalPrompt, has_terminal

__all__ = [
    "ConditionQuestion",
    "Question",
    "Rendered",
    "Size",
    "TerminalClosed",
    "TerminalPrompt",
    "has_terminal",
]

"""The text and syntax of one Python file. Knows nothing of LSP and of the state of events.

    text          SourceText: an immutable text; positions in every encoding; edits
    parser        SourceFile takes edits; its Snapshot is parsed in any thread into a ParsedSource
    declarations  Declaration: a call of `flyte.new_condition`
    references    Reference: a string that names an event, as in ``Event.get("...")``
    problems      Problem: a mistake in a declaration that is certain
    tasks         Task: the function that a declaration belongs to
    runnable_tasks
                  RunnableTask: a task that can be run by its name
    syntax        the tree, and the nodes at an offset
    tokens        strings and brackets where a syntax error keeps the tree from showing them
    calls         calls of dotted names
    bindings      where names are bound
    names         what names refer to
    values        the strings that expressions evaluate to

Offsets and spans are in bytes of `SourceText.data`. What is not certain before the program runs is
None: a name is never guessed.
"""

"""What verbs about a single event share; `flyte answer` uses it too.

event_name    how a person names an event, and the event that has the name
similar_names suggests the event or run that a person may have meant
values        the answer as a person writes it, in an argument or on stdin
asking        asks for the answer at the terminal, until somebody else has answered
questions     the questions at the terminal
quoting       the prompt of an event, as a quote
choosing      lets a person choose one of the events that wait
writes        performs a write; errors say whether it took effect
running       runs what a verb does, and prints the events of an ambiguous name
results       prints the event and its outcome
"""

"""The arguments of the command.

verb_table    the verbs, in the groups in which the help lists them
verb_details  the longer texts in the help of verbs
parser        parses the command line
help_texts    the texts of the help that belong to no verb
options       the options that all verbs have
values        the values of arguments
"""

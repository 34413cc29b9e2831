"""The arguments of the command.

verb_table    the verbs, in the groups in which the help lists them
parser        parses the command line
options       the options that all verbs have
values        the values of arguments
"""

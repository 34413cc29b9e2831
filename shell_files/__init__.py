"""Generator of what shells load, from the parser of the command: `python -m shell_files`.

completion   the scripts that complete a command line, by shtab
man_page     the manual page, by argparse-manpage
"""

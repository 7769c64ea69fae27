"""`socktrace completion SHELL`: the script that lets a shell complete socktrace's options, its verbs, and the command.

Made from the parser itself, so that it knows the options of this version. The command that is traced completes as it
does after sudo.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from tracer.cli.main import VERBS
from tracer.cli.run import parser as run_parser
from tracer.views.exports import FORMATS

BASH = """\
# bash: put  eval "$(socktrace completion bash)"  into ~/.bashrc
_socktrace() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" at
    if [[ " {verbs} " == *" ${{COMP_WORDS[1]}} "* && $COMP_CWORD -gt 1 ]]; then
        case "${{COMP_WORDS[1]}} $before" in
            "export -f") COMPREPLY=($(compgen -W "{formats}" -- "$word")) ;;
            *) COMPREPLY=($(compgen -f -- "$word")) ;;
        esac
        return
    fi
    for ((at = 1; at < COMP_CWORD; at++)); do
        case "${{COMP_WORDS[at]}}" in
            {with_values}) ((at++)) ;;
            -*) ;;
            *) declare -F _command_offset >/dev/null && _command_offset $at || COMPREPLY=($(compgen -f -- "$word"))
               return ;;
        esac
    done
    case "$before" in
        {with_values}) COMPREPLY=($(compgen -f -- "$word")); return ;;
    esac
    case "$word" in
        -*) COMPREPLY=($(compgen -W "{options}" -- "$word")) ;;
        *) COMPREPLY=($(compgen -W "$([[ $COMP_CWORD == 1 ]] && echo {verbs})" -A command -- "$word")) ;;
    esac
}}
complete -o filenames -F _socktrace socktrace
"""

ZSH = """\
#compdef socktrace
# zsh: put  eval "$(socktrace completion zsh)"  into ~/.zshrc, behind compinit
_socktrace() {{
    if (( CURRENT > 2 )) && [[ " {verbs} " == *" ${{words[2]}} "* ]]; then
        if [[ ${{words[CURRENT-1]}} == -f && ${{words[2]}} == export ]]; then compadd {formats}; else _files; fi
        return
    fi
    _arguments -S -s \\
{described}
        '1: :{{compadd {verbs}; _command_names -e}}' \\
        '*:: : _normal'
}}
compdef _socktrace socktrace
"""

FISH = """\
# fish: socktrace completion fish > ~/.config/fish/completions/socktrace.fish
complete -c socktrace -n __fish_use_subcommand -x -a '(__fish_complete_subcommand)'
complete -c socktrace -n __fish_use_subcommand -x -a '{verbs}'
complete -c socktrace -n '__fish_seen_subcommand_from {verbs}' -F
complete -c socktrace -n '__fish_seen_subcommand_from export' -s f -x -a '{formats}'
{described}
"""


def _options() -> list[argparse.Action]:
    return [action for action in run_parser()._actions if action.option_strings and action.help != argparse.SUPPRESS]


def _takes_value(action: argparse.Action) -> bool:
    return action.nargs != 0


def script(shell: str) -> str:
    """The script for `bash`, `zsh` or `fish`."""
    options = _options()
    words = {
        "verbs": " ".join(VERBS),
        "formats": " ".join(FORMATS),
        "options": " ".join(name for action in options for name in action.option_strings),
        "with_values": "|".join(name for action in options if _takes_value(action) for name in action.option_strings),
    }
    if shell == "bash":
        return BASH.format(**words)
    describe = _zsh if shell == "zsh" else _fish
    described = "\n".join(describe(action) for action in options)
    return (ZSH if shell == "zsh" else FISH).format(**words, described=described)


def _zsh(action: argparse.Action) -> str:
    text = (action.help or "").replace("'", "").replace("[", "(").replace("]", ")").replace(":", "\\:")
    value = f":{(action.metavar or 'value')}:_files" if _takes_value(action) else ""
    return "\n".join(f"        '{name}[{text}]{value}' \\" for name in action.option_strings)


def _fish(action: argparse.Action) -> str:
    names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in action.option_strings)
    text = (action.help or "").replace("'", "")
    value = " -r" if _takes_value(action) else ""
    return f"complete -c socktrace -n __fish_use_subcommand {names}{value} -d '{text}'"


def main(argv: Sequence[str]) -> int:
    """Print the script."""
    parser = argparse.ArgumentParser(
        prog="socktrace completion",
        description="Print the script that completes socktrace in a shell; its first lines say where it goes.",
        allow_abbrev=False,
    )
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))
    print(script(parser.parse_args(argv).shell), end="")
    return 0

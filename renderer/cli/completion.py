"""Completion scripts for bash and zsh, made from the commands: static text, nothing runs when a key is pressed."""

from __future__ import annotations

from typing import Final

from renderer.cli.spec import Command

_BASH: Final = """\
# bash completion for sitewright; made by `sitewright completion bash`
_sitewright() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} path="" index
  for ((index = 1; index < COMP_CWORD; index++)); do
    [[ ${COMP_WORDS[index]} == -* ]] && break
    case "$path ${COMP_WORDS[index]}" in
%(paths)s) path="$path ${COMP_WORDS[index]}" ;;
      *) break ;;
    esac
  done
  case "$path:$before" in
%(values)s
  esac
  case "$path" in
%(words)s
  esac
}
complete -o bashdefault -o default -F _sitewright sitewright
"""
_ZSH: Final = """\
#compdef sitewright
# zsh completion for sitewright; made by `sitewright completion zsh`
autoload -U +X bashcompinit && bashcompinit
%s"""


def script(root: Command, shell: str) -> str:
    """The completion script for `bash` or `zsh` (which reads the bash script through its own bridge)."""
    return _bash(root) if shell == "bash" else _ZSH % _bash(root)


def _bash(root: Command) -> str:
    groups = [((), root), *(((one.name,), one) for one in root.commands if one.commands)]
    leaves = list(root.leaves())
    paths = [words for words, _ in leaves] + [words for words, _ in groups if words]
    inner = [
        f"    {_path(words)!r}) {_offer([one.name for one in group.commands] + ['--help'])} ;;"
        for words, group in groups
    ]
    inner += [f"    {_path(words)!r}) {_offer(_options(command))} ;;" for words, command in leaves]
    values = [
        f"    {_path(words) + ':' + name!r}) {_offer(argument.choices)}; return ;;"
        for words, command in leaves
        for argument in command.all_arguments()
        for name in argument.names
        if argument.choices and argument.is_option
    ]
    return _BASH % {
        "paths": "      " + " | ".join(repr(_path(words)) for words in sorted(paths)),
        "values": "\n".join([*values, "    *) ;;"]),
        "words": "\n".join([*inner, "    *) ;;"]),
    }


def _path(words: tuple[str, ...]) -> str:
    return "".join(f" {word}" for word in words)


def _options(command: Command) -> list[str]:
    """What may follow a command: its options, and the values of a positional argument that has a fixed set."""
    arguments = command.all_arguments()
    values = [choice for argument in arguments if not argument.is_option for choice in argument.choices]
    names = [name for argument in arguments if argument.is_option for name in argument.names if name.startswith("--")]
    return [*values, *names, "--help"]


def _offer(words: list[str] | tuple[str, ...]) -> str:
    return f'COMPREPLY=($(compgen -W {" ".join(words)!r} -- "$word"))'

# SPDX-License-Identifier: LGPL-2.1-or-later
# bash completion of sft, sftfs and sftmount. Options come from --help of the programs themselves.

_sftfs_options() {
    "$@" --help 2>/dev/null | sed -n 's/^  \(-., \|    \)\(--[a-z0-9-]*\)\(=\{0,1\}\).*/\2\3/p'
}

_sftfs_suboptions() {
    "$1" --help 2>/dev/null |
        sed -n -e 's/^      \([a-z][a-z_]*\)\(=\{0,1\}\)[A-Z]*\( .*\)\{0,1\}$/\1\2/p' \
            -e 's/^      overlay\[=.*/overlay overlay= overlay=none overlay=temporary/p'
}

_sftfs_complete() {
    local program=$1 current=$2 previous=$3 command=("$1")
    COMPREPLY=()
    if [[ ${program##*/} == sft ]]; then
        if ((COMP_CWORD == 1)); then
            local subs
            subs=$("$program" --help 2>/dev/null |
                sed -n '/^Subcommands/,$s/^  \([a-z]*\) .*/\1/p')
            mapfile -t COMPREPLY < <(compgen -W "$subs --help --version" -- "$current")
            return
        fi
        command+=("${COMP_WORDS[1]}")
        if ((COMP_CWORD == 2)) && [[ ${COMP_WORDS[1]} == @(overlay|cache) && $current != -* ]]; then
            local commands
            commands=$("${command[@]}" --help 2>/dev/null |
                sed -n 's/^\(Usage:\|  or: \) sft [a-z]* \([a-z]*\).*/\2/p' | sort -u)
            mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current")
            return
        fi
    elif [[ ${program##*/} == sftfs && ${COMP_WORDS[1]} == ctl && COMP_CWORD -gt 1 ]]; then
        command+=(ctl)
        if ((COMP_CWORD == 3)) && [[ $current != -* ]]; then
            local commands
            commands=$("$program" ctl --help 2>/dev/null |
                sed -n 's/^\(Usage:\|  or: \) sftfs ctl MOUNTPOINT \([a-z]*\).*/\2/p')
            mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current")
            return
        fi
    elif [[ $previous == -o || $previous == --options ]]; then
        local done_part=${current%"${current##*,}"}
        mapfile -t COMPREPLY < <(compgen -P "$done_part" -W "$(_sftfs_suboptions "$program")" -- \
            "${current##*,}")
        compopt -o nospace
        return
    fi
    if [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_sftfs_options "${command[@]}")" -- "$current")
        [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
        return
    fi
    compopt -o default
}

complete -F _sftfs_complete sft sftfs sftmount

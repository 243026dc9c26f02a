# Completions of keyward for bash.
_keyward() {
    local candidate
    COMPREPLY=()
    # The words go over standard input: an argument can be seen by others.
    while IFS= read -r candidate; do
        COMPREPLY+=("$candidate")
    done < <(printf '%s\0' "${COMP_WORDS[@]:0:COMP_CWORD+1}" | command keyward __complete bash "$COMP_CWORD" 2>/dev/null)
    # After a folder or `=` the word goes on.
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[/=] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -o bashdefault -F _keyward keyward

# Completions of keyward for fish.
function __keyward_complete
    set -l typed (commandline -opc) (commandline -ct)
    # The words go over standard input: an argument can be seen by others.
    string join0 -- $typed | command keyward __complete fish (math (count $typed) - 1) 2>/dev/null
end
complete -c keyward -f -a '(__keyward_complete)'

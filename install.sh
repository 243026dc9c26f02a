#!/bin/sh
# Installs keyward from a release: install.sh --help
#
# All of it stands between one pair of braces: of a script that arrived in part, a shell runs nothing. It reads no input, so
# that it may be piped into sh, and never asks for another user's rights.
{
set -euf

usage() {
    cat <<'END'
usage: install.sh --from SOURCE [--version VERSION] [--sha256 SUM] [--prefix DIR]

Checks the SHA-256 of keyward's archive, then installs keyward and keyward-server into DIR/bin, with completions, manual
pages and documentation below DIR/share. Programs that are there already are replaced in one step each.

  --from SOURCE       where the release is: the https:// address or the folder that holds SHA256SUMS and the archives,
                      or an archive itself, with SHA256SUMS beside it
  --version VERSION   which version, if SOURCE holds several
  --sha256 SUM        what the archive's SHA-256 must be. SHA256SUMS is then not asked: it comes from where the archive
                      comes from, so it tells a damaged archive, and an exchanged one only if SOURCE can be trusted.
  --prefix DIR        where to [default: ~/.local]
END
}

# fail CODE TEXT…: each text is a line.
fail() {
    code=$1
    shift
    printf 'install.sh: %s\n' "$1" >&2
    shift
    [ "$#" -eq 0 ] || printf '  %s\n' "$@" >&2
    exit "$code"
}

has() {
    command -v "$1" >/dev/null 2>&1
}

# The programs that everything below rests on.
need_tools() {
    for tool in awk chmod cp grep gzip mkdir mktemp mv rm tar uname; do
        has "$tool" || fail 8 "there is no $tool on this machine"
    done
    has sha256sum || has shasum ||
        fail 8 'neither sha256sum nor shasum is here, so the archive cannot be checked; nothing was installed' \
            'install one of them (coreutils, busybox, perl) and try again'
}

# The SHA-256 of a file.
sum_of() {
    if has sha256sum; then
        sha256sum <"$1"
    else
        shasum -a 256 <"$1"
    fi | awk 'NR == 1 { print $1 }'
}

# The target that this machine runs; the programs are static, so there is one for each kind of processor.
machine() {
    [ "$(uname -s)" = Linux ] || fail 9 "there is no archive for $(uname -s)"
    case $(uname -m) in
        x86_64 | amd64) echo x86_64 ;;
        aarch64 | arm64) echo aarch64 ;;
        *) fail 9 "there is no archive for $(uname -m)" ;;
    esac
}

# Whether SOURCE is an address, and one that nobody on the way can change.
is_address() {
    case $1 in
        *@*://* | *://*@*) fail 2 'an address with a name or password in it is not taken' ;;
        https://*) return 0 ;;
        http://127.0.0.1 | http://127.0.0.1[:/]* | http://localhost | http://localhost[:/]*) return 0 ;;
        *://*) fail 9 "$1 is not an https:// address" ;;
        *) return 1 ;;
    esac
}

# download ADDRESS FILE
download() {
    if has curl; then
        curl --fail --silent --show-error --location --proto '=https,http' --proto-redir '=https' \
            --output "$2" -- "$1" </dev/null || fail 5 "$1 cannot be had"
    elif has wget; then
        # busybox's wget accepts any certificate.
        case $1 in
            https://*)
                wget --version 2>/dev/null </dev/null | grep -q '^GNU Wget' ||
                    fail 8 'this wget does not check certificates' \
                        'install curl; or download the release by other means, and name its folder with --from'
                wget --quiet --max-redirect=0 --output-document="$2" "$1" </dev/null || fail 5 "$1 cannot be had"
                ;;
            *) wget -q -O "$2" "$1" </dev/null || fail 5 "$1 cannot be had" ;;
        esac
    else
        fail 8 'neither curl nor wget is here' \
            'download the release by other means, and name its folder with --from'
    fi
}

# obtain NAME FILE: a file of the release. A folder's is copied, so that what was checked is what is unpacked.
obtain() {
    if is_address "$from"; then
        download "${from%/}/$1" "$2"
    else
        [ -e "$from/$1" ] || fail 8 "there is no $1 in $from"
        # cp says why: no room in $work, which is in TMPDIR, or no right to read it.
        cp -- "$from/$1" "$2" || fail 1 "$from/$1 could not be copied to $work; nothing was installed"
    fi
}

# The name of the archive to take, by what SHA256SUMS lists.
choose() {
    machine=$(machine) || exit
    names=$(awk -v machine="$machine" -v version="$version" '
        { name = $2; sub(/^\*/, "", name) }
        name !~ /^keyward-[0-9A-Za-z.+-]+-[0-9a-z_]+-unknown-linux-[a-z]+\.tar\.gz$/ { next }
        index(name, "-" machine "-unknown-linux-") == 0 { next }
        version != "" && index(name, "keyward-" version "-" machine "-") != 1 { next }
        { print name }' "$work/SHA256SUMS")
    case $names in
        '') fail 8 "there is no archive${version:+ of version $version} for this machine ($machine) in $from" ;;
        *'
'*) fail 2 "there are several archives in $from; choose one with --version, or name it with --from" "$names" ;;
    esac
    echo "$names"
}

# The sum that SHA256SUMS gives for a name; exactly one, and of the right form.
listed_sum() {
    awk -v name="$1" '
        $2 == name || $2 == "*" name { found = found " " $1 }
        END { print substr(found, 2) }' "$work/SHA256SUMS"
}

# stage FILE DIR MODE: a copy beside where it will be, so that it gets there in one step.
stage() {
    staged=$2/.${1##*/}.new.$$
    [ ! -d "$2/${1##*/}" ] || fail 9 "$2/${1##*/} is a folder; it was left alone"
    rm -f -- "$staged"
    cp -- "$1" "$staged"
    chmod "$3" "$staged"
}

# place FILE DIR: puts what was staged where it belongs.
place() {
    mv -f -- "$2/.${1##*/}.new.$$" "$2/${1##*/}"
}

# place_all FOLDER DIR: the files of a folder of the archive, if it has that folder.
place_all() {
    [ -d "$unpacked/$1" ] || return 0
    mkdir -p -- "$2"
    set +f
    for file in "$unpacked/$1"/*; do
        [ -f "$file" ] || continue
        stage "$file" "$2" 0644
        place "$file" "$2"
    done
    set -f
}

# Called by the trap.
# shellcheck disable=SC2317
clean_up() {
    rm -rf -- "$work"
    rm -f -- "$prefix/bin/.keyward.new.$$" "$prefix/bin/.keyward-server.new.$$" "$staged"
}

main() {
    from='' version='' sum='' prefix=''
    while [ "$#" -gt 0 ]; do
        option=$1
        case $option in
            --help | -h)
                usage
                exit 0
                ;;
            --from | --version | --sha256 | --prefix) ;;
            *) fail 2 "cannot make sense of $option" 'see install.sh --help' ;;
        esac
        [ -n "${2:-}" ] || fail 2 "$option wants a value"
        case $option in
            --from) from=$2 ;;
            --version) version=${2#v} ;;
            --sha256) sum=$2 ;;
            --prefix) prefix=$2 ;;
        esac
        shift 2
    done
    [ -n "$from" ] || fail 2 'from where? give --from' 'see install.sh --help'
    if [ -z "$prefix" ]; then
        [ -n "${HOME:-}" ] || fail 2 'there is no HOME to install into; give --prefix'
        prefix=$HOME/.local
    fi
    case $prefix in
        /*) ;;
        *) prefix=$PWD/$prefix ;;
    esac
    need_tools

    work=$(mktemp -d)
    staged=$work/none
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    # An archive by name, or one that SHA256SUMS lists for this machine.
    archive=''
    case $from in
        *.tar.gz)
            archive=${from##*/}
            case $from in
                */*) from=${from%/*} ;;
                *) from=. ;;
            esac
            ;;
    esac
    if [ -z "$archive" ] || [ -z "$sum" ]; then
        obtain SHA256SUMS "$work/SHA256SUMS"
    fi
    [ -n "$archive" ] || archive=$(choose)
    [ -n "$sum" ] || sum=$(listed_sum "$archive")
    sum=$(printf %s "$sum" | tr A-F a-f)
    well_formed=$(printf %s "$sum" | grep -c -x '[0-9a-f]\{64\}') || :
    [ "$well_formed" = 1 ] ||
        fail 6 "there is no one SHA-256 for $archive: it cannot be checked; nothing was installed"
    obtain "$archive" "$work/archive"
    found=$(sum_of "$work/archive")
    [ "$found" = "$sum" ] ||
        fail 6 "$archive is not what it should be; nothing was installed" "expected $sum" "found    $found"

    mkdir "$work/unpacked"
    gzip -dc <"$work/archive" | tar -xf - -C "$work/unpacked" ||
        fail 6 "$archive cannot be unpacked; nothing was installed"
    unpacked=$work/unpacked/${archive%.tar.gz}
    [ -d "$unpacked/bin" ] || fail 6 "$archive holds no folder of its name; nothing was installed"

    # Both are tried where they will be, before either is put in place.
    mkdir -p -- "$prefix/bin"
    for program in keyward keyward-server; do
        stage "$unpacked/bin/$program" "$prefix/bin" 0755
        "$staged" --version >/dev/null 2>&1 </dev/null ||
            fail 9 "the archive's $program does not run on this machine; nothing was installed"
    done
    for program in keyward keyward-server; do
        place "$unpacked/bin/$program" "$prefix/bin"
    done
    share=$prefix/share
    place_all man/man1 "$share/man/man1"
    place_all completions/bash "$share/bash-completion/completions"
    place_all completions/zsh "$share/zsh/site-functions"
    place_all completions/fish "$share/fish/vendor_completions.d"
    place_all completions/powershell "$share/keyward/powershell"
    place_all . "$share/doc/keyward"
    place_all docs "$share/doc/keyward/docs"
    cp -R -- "$unpacked/examples" "$share/doc/keyward/"

    echo "$("$prefix/bin/keyward" --version </dev/null) is in $prefix/bin" >&2
    case :${PATH:-}: in
        *":$prefix/bin:"*) ;;
        *) echo "  $prefix/bin is not on your PATH: export PATH=\"$prefix/bin:\$PATH\"" >&2 ;;
    esac
}

main "$@"
exit
}

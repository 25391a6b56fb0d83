# Completion of headgate in bash. The program is asked what there is, so this needs no change when that does.
_headgate() {
	local word=${COMP_WORDS[COMP_CWORD]} words
	COMPREPLY=()
	# Readline takes --flag=value for three words.
	if [ "$word" = = ] || [ "${COMP_WORDS[COMP_CWORD - 1]}" = = ]; then
		compopt -o default 2>/dev/null
		return 0
	fi
	if [ "$COMP_CWORD" -eq 1 ]; then
		words=$("${COMP_WORDS[0]}" --help 2>/dev/null | sed -n 's/^  \([-a-z][-a-z]*\) .*/\1/p')
	else
		words=$("${COMP_WORDS[0]}" "${COMP_WORDS[1]}" --help 2>/dev/null | sed -n 's/^  \(--[-a-z]*=\{0,1\}\).*/\1/p')
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
	[ "${#COMPREPLY[@]}" -ne 1 ] || [ "${COMPREPLY[0]}" = "${COMPREPLY[0]%=}" ] || compopt -o nospace 2>/dev/null
	return 0
}
complete -o default -F _headgate headgate

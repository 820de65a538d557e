# SPDX-License-Identifier: Apache-2.0
# bash completion for segue(8); test/verb.c holds it against the table of verbs.
# shellcheck shell=bash

_segue_units() {
	systemctl list-units --plain --no-legend --type=service,scope --state=active 2>/dev/null |
		awk '{ print $1 }'
}

_segue_kept() {
	segue list --json 2>/dev/null | sed -n 's/^ *"unit": *"\(.*\)",*$/\1/p'
}

_segue_kernels() {
	local path
	for path in /lib/modules/*/; do
		basename "$path"
	done
}

_segue() {
	local cur prev verb words
	cur=${COMP_WORDS[COMP_CWORD]}
	prev=${COMP_WORDS[COMP_CWORD - 1]}
	verb=${COMP_WORDS[1]}
	COMPREPLY=()

	if ((COMP_CWORD == 1)); then
		words="keep unkeep list run check swap status log return help --help --version"
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
		return
	fi
	case $prev in
	--kernel)
		mapfile -t COMPREPLY < <(compgen -W "$(_segue_kernels)" -- "$cur")
		return
		;;
	--user)
		mapfile -t COMPREPLY < <(compgen -u -- "$cur")
		return
		;;
	--working-directory)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	--unit | --description | --setenv) return ;;
	esac
	case $verb in
	keep) words="--adapt --stopped --json --help" ;;
	unkeep) words="--help" ;;
	list) words="--json --help" ;;
	run) words="--unit --description --user --working-directory --setenv --forking --json --help" ;;
	check) words="--kernel --allow-one-way --no-trial --json --help" ;;
	swap) words="--kernel --dry-run --allow-one-way --no-trial --after-dpkg --detach --quiet --json --help" ;;
	status) words="--json --help" ;;
	log) words="--json --help" ;;
	return) words="--quiet --json --help" ;;
	help) words="--help keep unkeep list run check swap status log return help" ;;
	*) return ;;
	esac
	if [[ $cur != -* ]]; then
		case $verb in
		keep) words=$(_segue_units) ;;
		unkeep) words=$(_segue_kept) ;;
		run)
			mapfile -t COMPREPLY < <(compgen -c -- "$cur")
			return
			;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _segue segue

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

_segue_releases() {
	segue release list --json 2>/dev/null | sed -n 's/^ *"name": *"\(.*\)",*$/\1/p'
}

_segue_nodes() {
	segue nodes --json 2>/dev/null | sed -n 's/^ *"name": *"\(.*\)",*$/\1/p'
}

_segue_keys() {
	local path
	for path in "${XDG_DATA_HOME:-$HOME/.local/share}"/segue/keys/*.pub; do
		[[ -e $path ]] && basename "$path" .pub
	done
}

_segue() {
	local cur prev verb words
	cur=${COMP_WORDS[COMP_CWORD]}
	prev=${COMP_WORDS[COMP_CWORD - 1]}
	verb=${COMP_WORDS[1]}
	COMPREPLY=()

	if ((COMP_CWORD == 1)); then
		words="keep unkeep list run check swap install watch status log return release key trust rollout hub nodes node why push join leave help --help --version"
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
		return
	fi
	if ((COMP_CWORD == 2)); then
		words=""
		case $verb in
		release) words="create sign verify list show rm --help" ;;
		key) words="new show --help" ;;
		trust) words="new sign show --help" ;;
		rollout) words="start status pause resume abort plan simulate --help" ;;
		hub) words="init token operator channel audit status backup restore --help" ;;
		node) words="show swap stage cancel revoke --help" ;;
		esac
		if [[ -n $words ]]; then
			mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
			return
		fi
	fi
	case $verb in
	release | key | trust | rollout | hub | node) verb="$verb ${COMP_WORDS[2]}" ;;
	esac
	case $prev in
	--kernel)
		if [[ $verb == release* ]]; then
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			return
		fi
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
	--key | --signer | --owner)
		mapfile -t COMPREPLY < <(compgen -W "$(_segue_keys)" -- "$cur")
		return
		;;
	--dir | --modules | --directory)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	--config | --root-image | --passphrase-file | --svg | --ca-certificate | --ca-key | --socket | --ca | --token-file)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--unit | --description | --setenv | --cmdline | --name | --channel | --version | --expires) return ;;
	--chunk-size | --threshold | --owner-threshold) return ;;
	--group | --max-* | --canary | --wave | --growth | --soak | --apart | --pair | --pair-by) return ;;
	--gate | --gate-before | --drain | --undrain | --event | --mode) return ;;
	--quorum | --window | --priority | --min-ready | --expect) return ;;
	--seed | --seeds | --nodes | --crashes) return ;;
	--token | --fingerprint) return ;;
	--fleet | --label | --uses | --hours | --note | --node | --wait) return ;;
	esac
	case $verb in
	keep) words="--adapt --stopped --json --help" ;;
	unkeep) words="--help" ;;
	list) words="--json --help" ;;
	run) words="--unit --description --user --working-directory --setenv --forking --json --help" ;;
	check) words="--kernel --allow-one-way --no-trial --deep --json --help" ;;
	swap) words="--kernel --release --dry-run --allow-one-way --no-trial --after-dpkg --detach --quiet --json --help" ;;
	install) words="--json --help" ;;
	watch) words="--once --help" ;;
	status) words="--json --help" ;;
	log) words="--svg --json --help" ;;
	return) words="--quiet --json --help" ;;
	"release create")
		words="--modules --kernel --config --root-image --cmdline --name --channel --version --expires"
		words+=" --chunk-size --key --passphrase-file --dir --dry-run --quiet --json --help"
		;;
	"release sign") words="--key --passphrase-file --dir --help" ;;
	"release verify") words="--dir --quiet --json --help" ;;
	"release list") words="--dir --json --help" ;;
	"release show") words="--dir --json --help" ;;
	"release rm") words="--dry-run --dir --help" ;;
	"key new") words="--passphrase-file --no-passphrase --dir --json --help" ;;
	"key show") words="--passphrase-file --dir --json --help" ;;
	"trust new")
		words="--signer --threshold --owner --owner-threshold --expires --recover --key"
		words+=" --passphrase-file --dir --help"
		;;
	"trust sign") words="--key --passphrase-file --dir --help" ;;
	"trust show") words="--dir --json --help" ;;
	"rollout plan")
		words="--group --max-unavailable --max-changing --max-unhealthy --max-unhealthy-after --max-failed"
		words+=" --canary --wave --growth --soak --apart --pair-by --pair --quorum --window --priority"
		words+=" --all-at-once --mode --min-ready --expect --json --help"
		;;
	"rollout start")
		words="--group --max-unavailable --max-changing --max-unhealthy --max-unhealthy-after --max-failed"
		words+=" --canary --wave --growth --soak --apart --pair-by --pair --quorum --window --priority"
		words+=" --all-at-once --mode --min-ready --expect --gate --gate-before --drain --undrain --event --wait"
		words+=" --socket --json --help"
		;;
	"rollout status") words="--watch --socket --json --help" ;;
	"rollout pause") words="--socket --help" ;;
	"rollout resume") words="--socket --help" ;;
	"rollout abort") words="--send-back --socket --help" ;;
	why) words="--socket --json --help" ;;
	"rollout simulate") words="--seed --seeds --nodes --crashes --trace --json --help" ;;
	"hub init") words="--name --fleet --ca-certificate --ca-key --directory --json --help" ;;
	"hub token") words="--label --uses --hours --note --list --revoke --socket --json --help" ;;
	"hub operator") words="--revoke --socket --help" ;;
	"hub channel") words="--remove --socket --json --help" ;;
	"hub audit") words="--socket --json --help" ;;
	"hub status") words="--socket --json --help" ;;
	"hub backup") words="--directory --socket --help" ;;
	"hub restore") words="--force --directory --help" ;;
	nodes) words="--label --socket --json --help" ;;
	"node show") words="--socket --json --help" ;;
	"node swap") words="--kernel --release --allow-one-way --no-trial --reboot --detach --socket --json --help" ;;
	"node stage") words="--kernel --release --allow-one-way --no-trial --reboot --detach --socket --json --help" ;;
	"node cancel") words="--socket --help" ;;
	"node revoke") words="--socket --help" ;;
	push) words="--all --group --label --node --wait --detach --dry-run --name --channel --expires --key --passphrase-file --dir --socket --quiet --json --help" ;;
	join) words="--token --token-file --ca --fingerprint --label --name --no-start --json --help" ;;
	leave) words="--force --help" ;;
	help) words="--help keep unkeep list run check swap install watch status log return release key trust rollout hub nodes node why push join leave help" ;;
	*) return ;;
	esac
	if [[ $cur != -* ]]; then
		case $verb in
		keep) words=$(_segue_units) ;;
		unkeep) words=$(_segue_kept) ;;
		"release create")
			mapfile -t COMPREPLY < <(compgen -f -X '!*.deb' -- "$cur")
			mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "$cur")
			return
			;;
		"release "* | push | "rollout start") words=$(_segue_releases) ;;
		"rollout plan")
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			return
			;;
		"key show") words=$(_segue_keys) ;;
		watch)
			mapfile -t COMPREPLY < <(compgen -d -- "$cur")
			return
			;;
		"hub backup" | "hub restore")
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			return
			;;
		"node "* | why) words=$(_segue_nodes) ;;
		join)
			mapfile -t COMPREPLY < <(compgen -A hostname -- "$cur")
			return
			;;
		run)
			mapfile -t COMPREPLY < <(compgen -c -- "$cur")
			return
			;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _segue segue

# shellcheck shell=sh disable=SC2154 # program and remedy are the caller's
# A private apt tree, sourced by the scripts beside it.
#
# Some tools that development needs come in several versions at once, newer than
# the release of this machine has. Debian carries them in its other suites. The
# functions here read those suites with an apt that has its own configuration,
# lists and (empty) package database inside the cache folder: the machine's own
# apt is only asked for the address of its mirror, and no root is needed.
#
# The caller sets `program` (for messages) and `remedy` (what to do where nothing
# can be fetched) first.

# Where fetched things live. Set before the functions, so that all agree.
cache=${HEADGATE_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set; set HEADGATE_CACHE}/.cache}/headgate}

# Names of suites, not of releases: they outlive the next release.
apt_suites='oldstable stable testing unstable experimental'

say() {
	printf '%s: %s\n' "$program" "$*" >&2
}

# fail MESSAGE: one line, and exit status 1 (2 is kept for wrong usage).
fail() {
	say "$*"
	exit 1
}

# alone WHAT: one process at a time does WHAT on this cache, from here to the end
# of the program.
alone() {
	command -v flock >/dev/null || fail 'flock is missing; install util-linux'
	mkdir -p "$cache" 2>/dev/null || fail "cannot make $cache; set HEADGATE_CACHE to a writable folder"
	exec 9>"$cache/$1.lock"
	flock 9
}

# mirror: the address of the Debian archive that this machine uses.
mirror() {
	# shellcheck disable=SC2016 # apt fills this in, not the shell
	_format='$(REPO_URI)'
	_found=$(apt-get indextargets --format "$_format" 'Created-By: Packages' \
		'Origin: Debian' 'Label: Debian' 2>/dev/null | head -n 1)
	if [ -z "$_found" ]; then
		# apt knows the origin of a source only after an update. A fresh
		# container has had none, so the update happens in the private tree.
		APT_CONFIG=$apt_tree/machine.conf apt-get -q update >&2 || :
		_found=$(APT_CONFIG=$apt_tree/machine.conf apt-get indextargets --format "$_format" \
			'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 2>/dev/null | head -n 1)
	fi
	printf '%s\n' "$_found"
}

# apt_open: makes or refreshes the private tree. Call it when alone.
apt_open() {
	for _tool in apt-get apt-cache apt-config dpkg-deb; do
		command -v $_tool >/dev/null || fail "$_tool is missing, so nothing can be fetched here; $remedy"
	done
	apt_tree=$cache/apt
	mkdir -p "$apt_tree/state/lists/partial" "$apt_tree/machine/lists/partial" \
		"$apt_tree/cache/archives/partial" "$apt_tree/empty" || fail "cannot write to $apt_tree"
	: >"$apt_tree/state/status"
	: >"$apt_tree/machine/status"

	# Only what concerns transport is taken from the machine (proxies, for
	# instance); its hooks would act on the system's own folders.
	_transport=$(apt-config dump | grep '^Acquire::' | grep -v '^Acquire::\(IndexTargets\|Languages\)')
	_sandbox=
	[ "$(id -u)" -ne 0 ] || _sandbox='APT::Sandbox::User "root";'
	cat >"$apt_tree/machine.conf" <<-END
		Dir::State::lists "$apt_tree/machine/lists";
		Dir::State::status "$apt_tree/machine/status";
		Dir::Cache "$apt_tree/cache";
		Acquire::Languages "none";
		$_sandbox
	END
	cat >"$apt_tree/apt.conf" <<-END
		$_transport
		$_sandbox
		Dir::Etc::main "/dev/null";
		Dir::Etc::parts "$apt_tree/empty";
		Dir::Etc::sourcelist "$apt_tree/sources.list";
		Dir::Etc::sourceparts "$apt_tree/empty";
		Dir::Etc::preferences "/dev/null";
		Dir::Etc::preferencesparts "$apt_tree/empty";
		Dir::State "$apt_tree/state";
		Dir::State::lists "$apt_tree/state/lists";
		Dir::State::status "$apt_tree/state/status";
		Dir::Cache "$apt_tree/cache";
		APT::Install-Recommends "false";
		Acquire::Languages "none";
		Acquire::AllowReleaseInfoChange "true";
		Acquire::Retries "3";
	END

	_mirror=$(mirror)
	[ -n "$_mirror" ] || fail "no Debian archive in this machine's apt sources; $remedy"
	_options=
	_keys=/usr/share/keyrings/debian-archive-keyring.gpg
	[ ! -r "$_keys" ] || _options="[signed-by=$_keys] "
	for _suite in $apt_suites; do
		printf 'deb %s%s %s main\n' "$_options" "$_mirror" "$_suite"
	done >"$apt_tree/sources.list"

	export APT_CONFIG="$apt_tree/apt.conf"
	say "reading the package lists of $_mirror"
	# Snapshots and mirrors that stand still carry lists past their date: signatures are checked all the same.
	if ! apt-get -q update >&2; then
		say 'not every suite could be read; trying again with lists past their date'
		# A suite that fails (an old keyring, say) takes nothing from the others.
		apt-get -q -o Acquire::Check-Valid-Until=false update >&2 ||
			say 'not every suite could be read; going on with the others'
	fi
}

# apt_versions PACKAGE: every version on offer, oldest first.
apt_versions() {
	apt-cache madison "$1" 2>/dev/null | awk -F'|' '{ gsub(/ /, "", $2); print $2 }' | sort -uV
}

# offer PACKAGE: the same in one line, for messages.
offer() {
	_offer=$(apt_versions "$1" | paste -s -d ' ')
	printf '%s\n' "${_offer:-none (is the network reachable?)}"
}

# apt_download DIR PACKAGE[=VERSION]...: the packages and all that they need, as
# .deb files in DIR. The database is empty, so "all" includes the C library.
apt_download() {
	_dir=$1
	shift
	mkdir -p "$_dir/partial"
	# The second try allows the dependencies of a package in experimental to
	# come from there too, which apt otherwise never does.
	apt-get -q -y -o Dir::Cache::archives="$_dir" install --download-only "$@" >&2 ||
		apt-get -q -y -o Dir::Cache::archives="$_dir" -t experimental install --download-only "$@" >&2
}

# unpack DIR PREFIX: every .deb file of DIR, unpacked below PREFIX.
unpack() {
	mkdir -p "$2"
	for _deb in "$1"/*.deb; do
		dpkg-deb -x "$_deb" "$2" || return 1
	done
}

# apt_done: leaves the lists, which make the next fetch quick, and drops the rest.
apt_done() {
	rm -rf "$apt_tree/cache" "$apt_tree/machine"
}

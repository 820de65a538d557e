# SPDX-License-Identifier: Apache-2.0
"""The package: installed, again over itself, removed, and gone without a trace."""

from lab import package as built
from suite import expect, scenario

APT = "DEBIAN_FRONTEND=noninteractive apt-get -q -y"
LIMIT = 180


@scenario(limit=1200)
def package(case):
    node = case.node
    deb = built.current()
    node.guest.push(deb, "/root/segue.deb")
    with case.point("complete"):
        node.output("dpkg", "--verify", "segue")
        node.output("systemctl", "is-active", "segued")
        node.output("segue", "--version")
        missing = node.output("for verb in keep unkeep list run check swap status log return join leave; do"
                              " segue $verb --help >/dev/null || echo $verb; test -e"
                              " /usr/share/man/man8/segue-$verb.8.gz || echo manual page of $verb; done")
        expect(not missing, f"missing: {missing}")
    with case.point("upgrade"):
        node.keep("redis-server")
        pid = node.output("systemctl", "show", "-P", "MainPID", "redis-server")
        node.exec("echo '# mine' >>/etc/segue/segue.conf")
        node.exec("segue hub init && systemctl enable --now segue-hub")
        hub = node.output("systemctl", "show", "-P", "MainPID", "segue-hub")
        node.exec(f"{APT} --reinstall install /root/segue.deb", limit=LIMIT)
        expect(node.output("systemctl", "show", "-P", "MainPID", "redis-server") == pid, "Redis was started anew")
        expect("redis-server.service" in node.output("segue", "list"), "the kept unit was forgotten")
        expect("# mine" in node.read("/etc/segue/segue.conf"), "the settings were replaced")
        for service in ("segued", "segue-hub"):
            node.output("systemctl", "is-active", service)
        expect(node.output("systemctl", "show", "-P", "MainPID", "segue-hub") != hub, "it is the hub of before")
    with case.point("remove"):
        node.exec(f"{APT} remove segue", limit=LIMIT)
        for service in ("segued", "segue-hub"):
            expect(node.output("systemctl", "is-active", service, check=False) != "active", f"{service} still runs")
        node.output("systemctl", "is-active", "redis-server")
        node.exec("test -e /etc/segue/segue.conf")
    with case.point("purge"):
        node.exec(f"{APT} purge segue", limit=LIMIT)
        left = node.output("ls -d /etc/segue /var/lib/segue* /run/segue* /etc/kernel/postinst.d/*segue*"
                           " /etc/systemd/system/*/segue* /usr/lib/segue 2>/dev/null", check=False)
        expect(not left, f"left behind: {left}")
        expect(not node.output("systemctl list-unit-files --no-legend 'segue*'", check=False), "units are left behind")
    with case.point("install"):
        node.exec(f"{APT} install /root/segue.deb", limit=LIMIT)
        node.output("systemctl", "is-active", "segued")
        expect("No unit is kept" in node.output("segue", "list"), "units of before are kept")

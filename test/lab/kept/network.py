# SPDX-License-Identifier: Apache-2.0
"""The guest's network: a VLAN, a bond, several addresses, routes and a rule."""

import json

from kept.base import Kept, expect_peer
from peer import Peer
from suite import expect

from lab import network

VLAN = 7

FILES = {
    "10-vlan.netdev": f"[NetDev]\nName=vlan{VLAN}\nKind=vlan\n\n[VLAN]\nId={VLAN}\n",
    "00-vlan.network": f"[Match]\nName=vlan{VLAN}\n\n[Network]\nAddress=10.78.0.1/24\nIPv6AcceptRA=no\n",
    "10-bond.netdev": "[NetDev]\nName=bond0\nKind=bond\n\n[Bond]\nMode=active-backup\nMIIMonitorSec=0.1\n",
    "10-left.netdev": "[NetDev]\nName=left\nKind=dummy\n",
    "10-right.netdev": "[NetDev]\nName=right\nKind=dummy\n",
    "10-slaves.network": "[Match]\nName=left right\n\n[Network]\nBond=bond0\n",
    "10-bond.network": "[Match]\nName=bond0\n\n[Network]\nAddress=10.79.0.1/24\nAddress=10.79.0.2/24\n"
                       "Address=fd79::1/64\nIPv6AcceptRA=no\n\n[Route]\nDestination=10.80.0.0/16\nGateway=10.79.0.9\n"
                       "Metric=77\n\n[Route]\nDestination=0.0.0.0/0\nGateway=10.79.0.9\nTable=123\n\n"
                       "[RoutingPolicyRule]\nFrom=10.79.0.2\nTable=123\nPriority=1000\n",
}


class Network(Kept):
    """Links, addresses, routes and rules; Redis is asked at an address that was added."""
    name = "network"
    peer = None

    def __init__(self, node):
        super().__init__(node)
        self.address = f"10.77.1.{node.number}"
        self.seen = None

    def install(self):
        for name, text in FILES.items():
            self.node.put(f"/etc/systemd/network/{name}", text)

    def start(self):
        node = self.node
        network.client_run("ip", "address", "replace", "10.77.1.254/24", "dev", network.CLIENT_LINK)
        cable = json.loads(node.output("ip", "-j", "route", "get", node.client4))[0]["dev"]
        found = node.output(f"grep -l {network.mac(node.guest.name)} /etc/systemd/network/*").splitlines()[0]
        node.write(f"{found}.d/more.conf", f"[Network]\nVLAN=vlan{VLAN}\nAddress={self.address}/24\n")
        node.exec("networkctl reload && networkctl reconfigure " + cable)
        node.wait("the bond and the VLAN to be up", self.is_complete)
        # networkd gives the slaves of a bond their own addresses back whenever it starts, as it does after a swap.
        node.exec("systemctl restart systemd-networkd")
        node.wait("the bond and the VLAN to be up again", self.is_complete)
        self.peer = Peer("counter", self.address, "other")
        self.peer.wait_progress()
        self.seen = self.look()

    def is_complete(self):
        text = "\n".join(self.look())
        return all(word in text for word in (self.address, "10.78.0.1", "10.79.0.2", "fd79::1", "10.80.0.0/16",
                                             "left UP SLAVE", "right UP SLAVE"))

    def look(self):
        """The network in lines that can be compared; what is counted or numbered anew is left out."""
        outputs = self.node.output("ip -j address; ip -j rule; ip -6 -j rule; ip -j route show table all;"
                                   "ip -6 -j route show table all").splitlines()
        links, rules, rules6, routes, routes6 = map(json.loads, outputs)
        lines = []
        for link in links:
            flags = set(link["flags"]) & {"UP", "SLAVE", "MASTER", "NOARP", "PROMISC"}
            lines.append(f"link {link['ifname']} {' '.join(sorted(flags, reverse=True))} {link['mtu']} "
                         f"{link.get('master', '-')} {link.get('address')}")
            lines += [f"address {link['ifname']} {one['local']}/{one['prefixlen']} {one['scope']}"
                      for one in link["addr_info"]]
        lines += [f"rule {sorted(rule.items())}" for rule in rules + rules6]
        kept = ("type", "dst", "gateway", "dev", "protocol", "scope", "prefsrc", "metric", "table")
        lines += [f"route {[(key, route[key]) for key in kept if key in route]}" for route in routes + routes6]
        return sorted(lines)

    def check(self):
        def differences():
            now = self.look()
            return [f"-{line}" for line in self.seen if line not in now] + \
                   [f"+{line}" for line in now if line not in self.seen]
        # Duplicate address detection and the bond's monitor take their time.
        try:
            self.node.wait("the network to be as it was", lambda: not differences(), 20)
        except Exception:
            raise AssertionError("the network is not as it was:\n" + "\n".join(differences())) from None
        expect_peer(self.peer.wait_progress(), lost=0, doubled=0, resets=0)

    def end(self):
        if self.peer:
            self.peer.end()

# SPDX-License-Identifier: Apache-2.0
"""Message brokers, names, mail and sessions."""

from kept.matrix.program import NO_URING, Served, numbers
from suite import expect

from lab import image


class Mosquitto(Served):
    name = "mosquitto"
    title = "Mosquitto"
    package = "mosquitto"
    nature = "message broker"
    load = "a message at QoS 1 at each step over one connection, which comes back once, in order"
    units = ("mosquitto.service",)
    client = "mqtt"
    port = 1883

    def install(self):
        self.node.put("/etc/mosquitto/conf.d/lab.conf", "listener 1883 0.0.0.0\nallow_anonymous true\n")


class RabbitMQ(Served):
    name = "rabbitmq"
    title = "RabbitMQ"
    package = "rabbitmq-server"
    nature = "message broker; the Erlang runtime with its JIT and threads"
    load = "a persistent message at each step over one connection, confirmed and taken from a durable queue, in order"
    units = ("rabbitmq-server.service",)
    client = "stomp"
    port = 61613

    def install(self):
        self.node.put("/etc/rabbitmq/enabled_plugins", "[rabbitmq_stomp].\n")
        self.node.put("/etc/rabbitmq/rabbitmq.conf", "stomp.listeners.tcp.1 = 0.0.0.0:61613\n"
                                                     "default_user = lab\ndefault_pass = lab\nloopback_users = none\n")


class Bind(Served):
    name = "bind"
    title = "BIND"
    package = "bind9"
    nature = "name server, many threads"
    load = "a dynamic update at each step, over UDP, which the next question shows; all are in the zone's journal"
    remark = f"libuv uses io_uring where the kernel has it, and it is refused by name; carried with `{NO_URING}`"
    units = ("named.service",)
    refused = "uring"
    client = "dns"
    port = 53

    def install(self):
        self.node.put("/etc/bind/named.conf.local",
                      'zone "lab.test" { type primary; file "/var/lib/bind/lab.test"; allow-update { any; }; };\n')
        self.node.put("/var/lib/bind/lab.test",
                      "@ 60 SOA ns hostmaster 1 3600 600 86400 60\n@ 60 NS ns\nns 60 A 10.77.0.1\n")

    def adapt(self):
        self.restart_with(NO_URING)

    def serial(self):
        return int(self.node.output("rndc", "zonestatus", "lab.test").partition("serial:")[2].split()[0])

    def check_ledger(self):
        acknowledged = self.peer.state()["value"]
        serial = self.serial()
        expect(serial > acknowledged, f"the zone's serial number is {serial} after {acknowledged} updates")


class Postfix(Served):
    name = "postfix"
    title = "Postfix"
    package = "postfix"
    nature = "mail server, many processes that come and go"
    load = "a mail at each step over one connection; all that were accepted are delivered once"
    units = ("postfix.service",)
    client = "smtp"
    port = 25

    def install(self):
        self.node.put("/etc/postfix/main.cf", """
compatibility_level = 3.9
myhostname = lab.test
mydestination = localhost, lab.test
mynetworks = 127.0.0.0/8, 10.77.0.0/16
inet_interfaces = all
inet_protocols = ipv4
home_mailbox = Maildir/
alias_maps =
smtpd_client_message_rate_limit = 0
smtpd_peername_lookup = no
""")

    def start(self):
        self.node.exec("useradd -m postbox")
        super().start()

    def delivered(self):
        """How many, how many different, and the last."""
        return numbers(self.node.output(
            "cd /home/postbox/Maildir && grep -rh '^Subject: ledger' new | awk '{ n[$3]++; if ($3 > m) m = $3 }"
            " END { print NR, length(n), m + 0 }'"))

    def check_ledger(self):
        acknowledged = self.peer.state()["value"]
        self.node.wait("the mail to be delivered", lambda: self.delivered()[1] >= acknowledged, 120)
        count, distinct, _ = self.delivered()
        expect(count == distinct, f"{count} mails were delivered, of which {distinct} are different")


class Dovecot(Served):
    name = "dovecot"
    title = "Dovecot"
    package = "dovecot-imapd"
    nature = "mail server, many processes with different users"
    load = "a mail appended at each step over one connection; the mailbox has as many as were acknowledged"
    units = ("dovecot.service",)
    client = "imap"
    port = 143

    def install(self):
        self.node.put("/etc/dovecot/conf.d/99-lab.conf", "mail_driver = maildir\nmail_path = ~/Maildir\n"
                      "mail_inbox_path = ~/Maildir\nauth_allow_cleartext = yes\nssl = no\n")

    def start(self):
        self.node.exec("useradd -m reader; echo reader:lab | chpasswd")
        super().start()


class OpenSsh(Served):
    name = "openssh"
    title = "OpenSSH"
    package = "openssh-server"
    nature = "terminal session over the network"
    load = "an interactive session on a terminal; its shell answers each line, in order"
    remark = "of an sshd with `UsePAM no`, whose sessions stay in its own unit; logind's sessions are no units to keep"
    units = ("sshd-kept.service",)
    client = "session"
    port = 2222

    def install(self):
        self.node.define("sshd-kept", "ExecStart=/usr/sbin/sshd -D -p 2222 -o UsePAM=no")

    def start(self):
        self.node.exec("useradd -m -s /bin/bash worker; usermod -p '*' worker; mkdir -p ~worker/.ssh;"
                       "cp /root/.ssh/authorized_keys ~worker/.ssh/; chown -R worker: ~worker/.ssh;"
                       "chmod 700 ~worker/.ssh")
        super().start()

    def arguments(self):
        return (str(image.key()),)

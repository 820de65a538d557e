# SPDX-License-Identifier: Apache-2.0
"""Databases and caches."""

from kept.matrix.program import Served, numbers

LEDGER_SUMS = "SELECT count(*), count(DISTINCT n), max(n) FROM ledger"


class Ledger(Served):
    """A database with a table of numbers."""

    def create(self):
        """The table."""
        raise NotImplementedError

    def query(self, text):
        raise NotImplementedError

    def start(self):
        self.launch()
        self.wait_listening()
        self.create()
        self.begin()

    def begin(self):
        self.wait_listening()
        self.query("DELETE FROM ledger")
        super().begin()

    def check_ledger(self):
        acknowledged = self.peer.state()["value"]
        self.expect_ledger(acknowledged, *numbers(self.query(LEDGER_SUMS)))


class PostgreSQL(Ledger):
    name = "postgresql"
    title = "PostgreSQL"
    package = "postgresql-17"
    nature = "database, a process for each connection, shared memory"
    load = "a row committed at each step over one connection; all acknowledged rows are there once"
    remark = ("as shipped it attaches System V shared memory of the host, and is refused by name; carried after"
              " `segue keep --adapt`, which sets `PrivateIPC=yes`")
    units = ("postgresql@17-main.service",)
    refused = "System V shared memory"
    client = "postgresql"
    port = 5432

    def install(self):
        self.node.put("/etc/postgresql/17/main/conf.d/lab.conf", "listen_addresses = '*'\n")
        self.node.put("/etc/postgresql/17/main/pg_hba.conf",
                      "local all all peer\nhost lab lab 10.77.0.0/16 trust\n")

    def adapt(self):
        self.node.segue("keep", "--adapt", *self.units)
        self.node.exec("systemctl", "restart", *self.units, limit=120)

    def create(self):
        psql = "runuser -u postgres -- psql -q"
        self.node.exec(f"cd /tmp; {psql} -c 'CREATE ROLE lab LOGIN' -c 'CREATE DATABASE lab OWNER lab' &&"
                       f" {psql} lab -c 'SET ROLE lab' -c 'CREATE TABLE ledger (n bigint)'", limit=120)

    def query(self, text):
        return self.node.output("cd /tmp; runuser -u postgres -- psql -At -F ' ' lab -c '" + text + "'")


class MariaDB(Ledger):
    name = "mariadb"
    title = "MariaDB"
    package = "mariadb-server"
    nature = "database, many threads"
    load = "a row committed at each step over one connection; all acknowledged rows are there once"
    remark = "as shipped it uses io_uring, and is refused by name; carried with `innodb_use_native_aio=OFF`"
    units = ("mariadb.service",)
    refused = "uring"
    client = "mariadb"
    port = 3306

    def install(self):
        self.node.put("/etc/mysql/mariadb.conf.d/90-lab.cnf", "[mariadbd]\nbind-address = 0.0.0.0\n")

    def adapt(self):
        self.node.write("/etc/mysql/mariadb.conf.d/91-lab.cnf", "[mariadbd]\ninnodb_use_native_aio = OFF\n")
        self.node.exec("systemctl", "restart", "mariadb", limit=120)

    def create(self):
        self.node.exec("mariadb", text="CREATE USER lab@'%' IDENTIFIED VIA mysql_native_password;"
                       "CREATE DATABASE lab; GRANT ALL ON lab.* TO lab@'%'; CREATE TABLE lab.ledger (n BIGINT);\n")

    def query(self, text):
        return self.node.output("mariadb", "-N", "lab", "-e", text)


class Valkey(Served):
    name = "valkey"
    title = "Valkey"
    package = "valkey-server"
    nature = "cache, in memory"
    load = "a counter and a list, both grown at each step over one connection; each answer is the next number"
    units = ("valkey-server.service",)
    client = "resp"
    port = 6379

    def install(self):
        self.node.put("/etc/systemd/system/valkey-server.service.d/lab.conf",
                      "[Service]\nExecStart=\nExecStart=/usr/bin/valkey-server /etc/valkey/valkey.conf"
                      " --supervised systemd --daemonize no --bind 0.0.0.0 --protected-mode no\n")


class Memcached(Served):
    name = "memcached"
    title = "memcached"
    package = "memcached"
    nature = "cache, in memory, many threads"
    load = "a key set, an older one read and a counter grown at each step over one connection"
    units = ("memcached.service",)
    client = "memcached"
    port = 11211

    def install(self):
        self.node.put("/etc/memcached.conf",
                      "-m 64\n-p 11211\n-u memcache\n-l 0.0.0.0\n-P /run/memcached/memcached.pid\n")


class Etcd(Served):
    name = "etcd"
    title = "etcd"
    package = "etcd-server"
    nature = "key-value store; the Go runtime with its threads"
    load = "a key put and read at each step over one connection; revisions follow each other without a gap"
    units = ("etcd.service",)
    client = "etcd"
    port = 2379

    def install(self):
        self.node.put("/etc/default/etcd", "ETCD_LISTEN_CLIENT_URLS=http://0.0.0.0:2379\n"
                                           "ETCD_ADVERTISE_CLIENT_URLS=http://localhost:2379\n")

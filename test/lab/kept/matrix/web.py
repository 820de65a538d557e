# SPDX-License-Identifier: Apache-2.0
"""Web servers, and the runtimes of web applications."""

from kept.matrix.program import NO_URING, Served

PAGE = "/var/www/html/page.bin"
PAGE_BYTES = 100000
ONE_PAGE = "the same page at each step over one connection; its SHA-256 is always the same"
ONE_COUNT = "a count in its memory, asked for at each step over one connection; each answer is the next number"


class Page(Served):
    """A server of files."""
    client = "page"
    load = ONE_PAGE

    def arguments(self):
        # The first that comes makes the page.
        made = self.node.output(f"[ -e {PAGE} ] || head -c {PAGE_BYTES} /dev/urandom >{PAGE}; sha256sum {PAGE}")
        return "/page.bin", made.split()[0]


class Nginx(Page):
    name = "nginx"
    title = "nginx"
    package = "nginx"
    nature = "web server, a process for each processor"
    units = ("nginx.service",)
    port = 8080

    def install(self):
        self.node.put("/etc/nginx/sites-enabled/default", f"""
server {{
    listen {self.port};
    root /var/www/html;
    keepalive_timeout 300;
    keepalive_requests 1000000;
}}
""")


class Apache(Page):
    name = "apache"
    title = "Apache httpd"
    package = "apache2"
    nature = "web server, processes with many threads"
    remark = "`KeepAliveTimeout` is longer than the blackout, as its 5 s also end in it"
    units = ("apache2.service",)
    port = 8081

    def install(self):
        self.node.put("/etc/apache2/ports.conf", "Listen 8081\n")
        self.node.put("/etc/apache2/sites-enabled/000-default.conf",
                      "ServerName lab.test\nDocumentRoot /var/www/html\n")
        self.node.put("/etc/apache2/conf-enabled/zz-lab.conf", "KeepAliveTimeout 300\nMaxKeepAliveRequests 0\n")


class Lighttpd(Page):
    name = "lighttpd"
    title = "lighttpd"
    package = "lighttpd"
    nature = "web server, one event loop"
    units = ("lighttpd.service",)
    port = 8082

    def install(self):
        self.node.put("/etc/lighttpd/lighttpd.conf", f"""
server.port = {self.port}
server.document-root = "/var/www/html"
server.username = "www-data"
server.groupname = "www-data"
server.max-keep-alive-idle = 300
server.max-keep-alive-requests = 65535
server.modules += ( "mod_fastcgi" )
fastcgi.server = ( ".php" => (( "socket" => "/run/php/php8.4-fpm.sock" )) )
""")


class PhpFpm(Served):
    name = "php-fpm"
    title = "PHP-FPM"
    package = "php8.4-fpm"
    nature = "language runtime, processes with a cache of code in shared memory"
    load = f"behind lighttpd: {ONE_COUNT}"
    units = ("php8.4-fpm.service",)
    client = "count"
    port = 8082

    def install(self):
        self.node.put("/var/www/html/count.php",
                      "<?php $n = (string) apcu_inc('count'); header('Content-Length: ' . strlen($n)); echo $n;\n")

    def arguments(self):
        return ("/count.php",)


class HAProxy(Page):
    name = "haproxy"
    title = "HAProxy"
    package = "haproxy"
    nature = "proxy, master and worker"
    load = f"between the client and lighttpd: {ONE_PAGE}; the system's log is reached from its sandbox"
    remark = "as shipped it renames its two control sockets after it has bound them, and is refused by name; carried without"
    units = ("haproxy.service",)
    port = 8083
    refused = "renamed"

    def install(self):
        self.node.put("/etc/haproxy/haproxy.cfg", f"""
global
    log /dev/log local0
    chroot /var/lib/haproxy
    user haproxy
    group haproxy
    stats socket /run/haproxy/admin.sock mode 660 level admin
defaults
    mode http
    timeout connect 60s
    timeout client 300s
    timeout server 300s
frontend front
    bind :{self.port}
    default_backend back
backend back
    server only 127.0.0.1:8082
""")

    def adapt(self):
        self.node.write("/etc/systemd/system/haproxy.service.d/lab.conf", "[Service]\nEnvironment=EXTRAOPTS=\n")
        self.node.exec("sed -i '/stats socket/d' /etc/haproxy/haproxy.cfg && systemctl daemon-reload"
                       " && systemctl restart haproxy", limit=120)

    def check(self):
        super().check()
        # The system's socket for logs is mounted into its sandbox.
        self.node.exec(f"nsenter -t $(systemctl show -P MainPID {self.units[0]}) -m"
                       " logger -u /var/lib/haproxy/dev/log -t lab heard")
        self.node.wait("the log", lambda: "heard" in self.node.output("journalctl -b -t lab -o cat --no-pager"))


NODE_PROGRAM = """
const http = require("node:http");
const { Worker, isMainThread, parentPort } = require("node:worker_threads");
const crypto = require("node:crypto");
const work = () => {
  let sum = 0;
  for (let i = 0; i < 200000; i++) sum = (sum * 31 + i) % 1000003;
  return sum + crypto.createHash("sha256").update("segue").digest("hex");
};
if (!isMainThread) {
  const first = work();
  setInterval(() => { if (work() !== first) parentPort.postMessage("wrong"); }, 200);
} else {
  let count = 0, wrong = "";
  for (let i = 0; i < 2; i++) new Worker(__filename).on("message", (text) => { wrong = text; });
  const server = http.createServer((request, response) => {
    const body = wrong || String(++count);
    response.writeHead(200, { "Content-Length": body.length });
    response.end(body);
  });
  server.keepAliveTimeout = 300000;
  server.listen(8084, "0.0.0.0");
}
"""


class NodeJs(Served):
    name = "nodejs"
    title = "Node.js"
    package = "nodejs"
    nature = "language runtime with a JIT and threads"
    load = f"{ONE_COUNT}; two workers repeat a computation, of which the result may not change"
    remark = f"libuv uses io_uring where the kernel has it, and it is refused by name; carried with `{NO_URING}`"
    units = ("count-nodejs.service",)
    refused = "uring"
    client = "count"
    port = 8084

    def install(self):
        self.node.put("/opt/count.js", NODE_PROGRAM)
        self.node.define("count-nodejs", "User=www-data", "ExecStart=/usr/bin/node /opt/count.js")

    def adapt(self):
        self.restart_with(NO_URING)

    def arguments(self):
        return ("/",)


JAVA_PROGRAM = """
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicLong;

public class Count {
    static volatile String wrong = "";

    static long work() {
        StringBuilder text = new StringBuilder();
        long sum = 0;
        for (int i = 0; i < 100000; i++) {
            sum = (sum * 31 + i) % 1000003;
            if (i % 1000 == 0) text.append(sum);
        }
        return sum + text.toString().hashCode();
    }

    static void repeat() {
        long first = work();
        try {
            for (;;) {
                if (work() != first) wrong = "wrong";
                Thread.sleep(200);
            }
        } catch (InterruptedException end) {
            wrong = "interrupted";
        }
    }

    public static void main(String[] words) throws Exception {
        AtomicLong count = new AtomicLong();
        HttpServer server = HttpServer.create(new InetSocketAddress(8085), 0);
        server.createContext("/", exchange -> {
            byte[] body = (wrong.isEmpty() ? Long.toString(count.incrementAndGet()) : wrong).getBytes();
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
            exchange.getResponseBody().close();
        });
        server.setExecutor(Executors.newFixedThreadPool(8));
        for (int i = 0; i < 4; i++) new Thread(Count::repeat).start();
        server.start();
    }
}
"""


class OpenJdk(Served):
    name = "openjdk"
    title = "OpenJDK"
    package = "openjdk-21-jre-headless"
    nature = "language runtime with a JIT, a garbage collector and many threads"
    load = f"{ONE_COUNT}; four threads repeat a computation, of which the result may not change"
    units = ("count-openjdk.service",)
    client = "count"
    port = 8085

    def install(self):
        self.node.put("/opt/Count.java", JAVA_PROGRAM)
        self.node.define("count-openjdk", "User=www-data", "TimeoutStartSec=300",
                         "ExecStart=/usr/bin/java -Xmx256m -Dsun.net.httpserver.idleInterval=3000"
                         " -Dsun.net.httpserver.maxIdleConnections=100 /opt/Count.java")

    def arguments(self):
        return ("/",)

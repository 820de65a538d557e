#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What somebody who knows CRIU and kexec would write: dump to disk, kexec into a normal boot, restore from a unit.
#     swap.sh KERNEL PID PORT
set -eu
kernel=$1 pid=$2 port=$3
images=/var/tmp/naive

mkdir -p "$images"
kexec -s -l "/boot/vmlinuz-$kernel" --initrd="/boot/initrd.img-$kernel" --reuse-cmdline
# The next boot must not answer for a program that is not there yet.
cat >/etc/systemd/system/naive-hold.service <<END
[Unit]
DefaultDependencies=no
Before=network-pre.target
Wants=network-pre.target
[Service]
Type=oneshot
ExecStart=/usr/sbin/nft add table inet naive
ExecStart=/usr/sbin/nft add chain inet naive hold '{ type filter hook prerouting priority raw; }'
ExecStart=/usr/sbin/nft add rule inet naive hold tcp dport $port drop
[Install]
WantedBy=sysinit.target
END
cat >/etc/systemd/system/naive-restore.service <<END
[Unit]
Wants=network-online.target
After=network-online.target
[Service]
Type=forking
ExecStart=/usr/sbin/criu restore --images-dir $images --tcp-established --network-lock skip --restore-detached -v0
ExecStartPost=/usr/sbin/nft delete table inet naive
[Install]
WantedBy=multi-user.target
END
systemctl enable --quiet naive-hold naive-restore
systemctl start naive-hold
criu dump --tree "$pid" --images-dir "$images" --tcp-established --network-lock skip -v0
systemctl kexec

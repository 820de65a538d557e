#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What somebody who knows CRIU and kexec would write: dump to disk, kexec into a normal boot, restore from a unit.
#     swap.sh KERNEL PID ADDRESS PORT
set -eu
kernel=$1 pid=$2 address=$3 port=$4
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
# The target is reached without the link if its module comes late.
ExecStartPre=/bin/sh -c "until ip -o address | grep -qwF $address; do sleep 0.1; done"
ExecStart=/usr/sbin/criu restore --images-dir $images --tcp-established --network-lock skip --restore-detached -v1
ExecStartPost=/usr/sbin/nft delete table inet naive
[Install]
WantedBy=multi-user.target
END
systemctl enable --quiet naive-hold naive-restore
systemctl start naive-hold
criu dump --tree "$pid" --images-dir "$images" --tcp-established --network-lock skip -v1
systemctl kexec

#!/bin/busybox sh
# The guest's first process: what a boot does, then it obeys the test. Each line on the second serial port is a script
# in base64; each answer is one line: exit code, stdout and stderr, the last two in base64 behind a dot.
/bin/busybox --install -s /usr/bin
export PATH=/usr/bin:/usr/sbin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir /dev/pts
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=755 tmpfs /run
chmod 1777 /tmp
chown member /home/member
chown stranger /home/stranger
hostname guest
ip link set lo up
while read -r module; do insmod "/lib-modules/$module.ko"; done </lib-modules/modules
/lib/systemd/systemd-udevd --daemon
udevadm trigger --action=add
udevadm settle

cd /root
stty -F /dev/ttyS1 raw -echo
exec 3<>/dev/ttyS1
echo ready >&3
while read -r line <&3; do
    printf %s "$line" | base64 -d >/run/script
    setsid sh -euc '. /etc/words.sh; . /run/script' </dev/null >/run/out 2>/run/err 3>&-
    echo "$? .$(base64 -w 0 /run/out) .$(base64 -w 0 /run/err)" >&3
done

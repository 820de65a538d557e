# SPDX-License-Identifier: Apache-2.0
"""The root image: a Debian 13 with two kernels and all that segue's package depends on, as a disk.

The package itself is installed later, in a running guest (see guest.py): an edit of segue costs no image.  An image can
have layers: the same with more packages, each made when first asked for.
"""

import os
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

from lab import cache, chroot, disk, mirror, network, package
from lab.command import run, say
from lab.error import LabError

ROOTFS = cache.LAB / "rootfs"
LAYERS = cache.LAB / "layers"
BACKPORTS = f"{chroot.RELEASE}-backports"
KERNEL_PACKAGE = "linux-image-cloud-amd64"
CRIU_PACKAGES = ("criu",)


@dataclass(frozen=True)
class Image:
    """A finished image; what is in its directory is never changed again."""
    path: Path

    @property
    def id(self):
        return self.path.name

    def disk(self, filesystem="ext4"):
        """The disk with the root file system in this form; others than ext4 are made when first asked for."""
        made = self.path / "disk.raw"
        if filesystem == "ext4":
            return made
        other = self.path / f"disk-{filesystem}.raw"
        with cache.lock("image copy"):
            if not other.exists():
                say(f"making an {filesystem} root file system")
                disk.copy(made, other, filesystem)
        return other

    def layer(self, name):
        """The image with the packages of layers/NAME as well, made when first asked for; "" is the image itself."""
        if not name:
            return self
        source = LAYERS / name
        path = self.path / f"{name}-{cache.digest(source)}"
        with cache.lock(f"layer {name}"):
            if not (path / "image.json").exists():
                for old in self.path.glob(f"{name}-*"):
                    shutil.rmtree(old)
                built = package.current()
                _make(path, _base(_base_id()), package.depends(built) if built else "", source)
        return Image(path)

    def root_arguments(self, filesystem="ext4"):
        """The kernel's arguments for it."""
        flags = disk.COPIES[filesystem][1] if filesystem in disk.COPIES else ""
        return f"{cache.read_json(self.path / 'image.json')['root']} ro {flags}".strip()

    def kernels(self):
        """The kernel versions in it, oldest first."""
        versions = [path.name.removeprefix("vmlinuz-") for path in self.path.glob("boot/vmlinuz-*")]
        return sorted(versions, key=version_key)

    def kernel(self, wanted):
        """The newest version that begins with `wanted`: "7", "6.12", "6.12.107+deb13-cloud-amd64"."""
        versions = self.kernels()
        fitting = [version for version in versions
                   if version == wanted or version.startswith((f"{wanted}.", f"{wanted}+", f"{wanted}-"))]
        if not fitting:
            raise LabError(f"no kernel {wanted} in the image; it has {', '.join(versions)}")
        return fitting[-1]

    def boot_files(self, version):
        """The kernel and its initramfs."""
        return self.path / "boot" / f"vmlinuz-{version}", self.path / "boot" / f"initrd.img-{version}"


def version_key(version):
    return [int(word) if word.isdigit() else -1 for word in version.replace("+", ".").replace("-", ".").split(".")]


def current():
    """The image that the last setup made."""
    link = cache.root() / "image" / "current"
    if not (link / "image.json").exists():
        raise LabError("there is no image yet; run `lab/lab setup`")
    return Image(link.resolve())


def key():
    """The private ssh key that opens every guest."""
    path = cache.directory("ssh") / "key"
    if not path.exists():
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "segue-lab", "-f", path, what="make an ssh key")
    return path


def build(depends):
    """Make the image for a package with this Depends field, unless it exists, and make it the current one."""
    base_id = _base_id()
    image_id = cache.digest(base_id, depends, Path(disk.__file__))
    path = cache.directory("image") / image_id
    with cache.lock("image build"):
        if not (path / "image.json").exists():
            _make(path, _base(base_id), depends)
        with cache.lock("image"):
            _publish(path)
    return Image(path)


def _base_id():
    key()
    return cache.digest(ROOTFS, mirror.find().sources(chroot.RELEASE), key().with_suffix(".pub"), _network_files())


def _base(base_id):
    """The tree without what segue's package depends on."""
    path = cache.directory("tree") / base_id
    if path.exists():
        return path
    log = cache.directory("log") / "image.log"
    log.unlink(missing_ok=True)
    say("building the root image: packages")
    tree = chroot.create(path.with_suffix(".new"), log)
    (tree.path / "etc/apt/sources.list.d/0000sources.list").unlink(missing_ok=True)
    sources = mirror.find().sources(chroot.RELEASE, BACKPORTS, "testing")
    (tree.path / "etc/apt/sources.list").write_text(sources, encoding="ascii")
    run("cp", "-a", f"{ROOTFS}/files/.", tree.path, what="copy the image's files")
    tree.apt("update")
    tree.apt("install", *_packages(ROOTFS / "packages"))
    tree.apt("install", *CRIU_PACKAGES)
    say("building the root image: kernels")
    tree.apt("install", KERNEL_PACKAGE)
    tree.apt("install", "-t", BACKPORTS, _newest_kernel(tree))
    _write_files(tree.path)
    _customize(tree, ROOTFS / "customize")
    for old in path.parent.iterdir():
        if old != tree.path:
            shutil.rmtree(old)
    tree.path.rename(path)
    return path


def _customize(tree, script):
    shutil.copyfile(script, tree.path / "root/customize")
    tree.run("sh", "/root/customize", what=f"customize the image's tree as {script.parent.name} says")
    (tree.path / "root/customize").unlink()


def _packages(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    return [word for line in lines for word in line.partition("#")[0].split()]


def _newest_kernel(tree):
    """The package that holds the backports' newest kernel: what the meta-package there depends on."""
    text = tree.run("apt-cache", "show", "--no-all-versions", f"{KERNEL_PACKAGE}/{BACKPORTS}",
                    what="look up the backports' kernel")
    for line in text.splitlines():
        if line.startswith("Depends:"):
            for word in line.split()[1:]:
                if word.startswith("linux-image-") and word[len("linux-image-")].isdigit():
                    return word.rstrip(",")
    raise LabError(f"the mirror has no kernel in {BACKPORTS}; see whether it carries that suite")


def _network_files():
    """Path in the image to content: one systemd-networkd file for each guest there can be, found by its MAC."""
    return {f"etc/systemd/network/10-{name}.network": network.networkd_file(name) for name in network.names()}


def _write_files(tree):
    for name, content in _network_files().items():
        (tree / name).write_text(content, encoding="ascii")
    ssh = tree / "root/.ssh"
    ssh.mkdir(exist_ok=True)
    shutil.copyfile(key().with_suffix(".pub"), ssh / "authorized_keys")
    (tree / "etc/hostname").write_text("segue\n", encoding="ascii")
    hosts = "".join(f"{address}\t{name}\n" for name in ("client", *network.names())
                    for address in network.addresses(name))
    (tree / "etc/hosts").write_text(f"127.0.0.1\tlocalhost\n::1\tlocalhost\n{hosts}", encoding="ascii")


def _make(path, base, depends, layer=None):
    """The image at `path` from the tree `base`, what `depends` names and the directory of a layer, if any."""
    log = cache.directory("log") / "image.log"
    work = path.with_suffix(".new")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    inside = chroot.Chroot(work / "tree", log)
    tree = inside.path
    chroot.copy(base, tree)
    if depends:
        say("building the root image: what segue depends on")
        inside.apt("satisfy", depends)
    if layer:
        say(f"building the root image: layer {layer.name}")
        inside.apt("update")
        inside.apt("install", *_packages(layer / "packages"))
        _customize(inside, layer / "customize")
    # Guests reach no mirror, and with the lists of one their apt would take a minute to start.
    shutil.rmtree(tree / "var/lib/apt/lists")
    (tree / "var/lib/apt/lists").mkdir()
    for cached in (tree / "var/cache/apt").glob("*.bin"):
        cached.unlink()
    say("building the root image: disk")
    root = disk.make(work / "disk.raw", tree, uuid.uuid5(uuid.NAMESPACE_OID, path.name), log)
    boot = work / "boot"
    boot.mkdir()
    for pattern in ("vmlinuz-*", "initrd.img-*"):
        for file in tree.glob(f"boot/{pattern}"):
            shutil.copyfile(file, boot / file.name)
    cache.write_json(work / "image.json", {"root": root})
    shutil.rmtree(tree)
    work.rename(path)


def _publish(path):
    """Make `path` the current image and drop the others with the snapshots made of them."""
    parent = path.parent
    link = parent / "current"
    if link.exists() and link.resolve() == path:
        return
    fresh = parent / "current.new"
    fresh.unlink(missing_ok=True)
    os.symlink(path.name, fresh)
    fresh.rename(link)
    for old in parent.iterdir():
        if old not in (path, link):
            shutil.rmtree(old)
    for snapshot in cache.directory("snapshot").iterdir():
        if cache.read_json(snapshot / "snapshot.json", {}).get("image") != path.name:
            shutil.rmtree(snapshot)

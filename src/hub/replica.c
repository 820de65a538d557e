/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/replica.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"

#define NAME_BYTES   8
#define NAME_MAX_    (2 * NAME_BYTES + 1)
#define LEVEL        3
#define ENTRY_HEAD   "segue-hub-change 1 "
#define SNAP_HEAD    "segue-hub-state 1 "
#define HEAD_MAX     128
#define RAW_MAX      ((size_t)1 << 30)
#define PART_SIZE    ((size_t)512 << 10)
#define AT_A_TIME    64
#define SNAP_EVERY   500 /* transactions */
#define LOG_KEPT     100 /* of those that the snapshot has, for who is not far behind */
#define LEASE_US     ((int64_t)REPLICA_LEASE_S * 1000000)
#define SNAPSHOT_NEW "snapshot.new"

struct Replica {
	Etcd *etcd;
	char *prefix, *address;
	char writer[NAME_MAX_]; /* this hub, in this run */
	char leader[256];
	Db *db;
	bool attached;
	int64_t applied;  /* number of the last transaction that the database has */
	int64_t snapshot; /* and that the snapshot has */
	int64_t lease;    /* 0: it does not lead */
	int64_t revision; /* at which its key was made */
	int64_t heard_us; /* monotonic; when the lease was kept last */
};

/* ---- names ---- */

static char *key_of(const Replica *replica, const char *name)
{
	return text_format("%s/%s", replica->prefix, name);
}

static char *log_key(const Replica *replica, int64_t number)
{
	return text_format("%s/log/%016llx", replica->prefix, (unsigned long long)number);
}

static int name_make(char ret[NAME_MAX_], Error *err)
{
	uint8_t bytes[NAME_BYTES];

	if (gnutls_rnd(GNUTLS_RND_NONCE, bytes, sizeof(bytes)) < 0)
		return error_set(err, -EIO, "There are no random bytes");
	for (size_t i = 0; i < NAME_BYTES; i++)
		(void)snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

/* ---- packing ---- */

typedef struct Packed {
	char *bytes; /* owned: a line of text and what zstd makes of the rest */
	size_t size;
} Packed;

static void packed_release(Packed *packed)
{
	free(packed->bytes);
}

static int pack(const char *head, const void *raw, size_t size, Packed *ret, Error *err)
{
	size_t n = strlen(head), room = ZSTD_compressBound(size), packed;
	char *bytes = malloc(n + room);

	if (!bytes)
		return error_errno(err, -ENOMEM, "Compressing the hub's state");
	/* Its end is written over. */
	memcpy(bytes, head, n + 1);
	packed = ZSTD_compress(bytes + n, room, raw, size, LEVEL);
	if (ZSTD_isError(packed)) {
		free(bytes);
		return error_set(err, -EIO, "Compressing the hub's state: %s",
				 ZSTD_getErrorName(packed));
	}
	*ret = (Packed){bytes, n + packed};
	return 0;
}

/* `size`: of what comes out. */
static int unpack(const void *packed, size_t packed_size, size_t size, void **ret, Error *err)
{
	void *raw = size <= RAW_MAX ? malloc(size + 1) : NULL;
	size_t n;

	if (!raw)
		return error_errno(err, -ENOMEM, "Unpacking the hub's state");
	n = ZSTD_decompress(raw, size, packed, packed_size);
	if (ZSTD_isError(n) || n != size) {
		free(raw);
		return error_set(err, -EBADMSG, "What etcd has of the hub's state is damaged");
	}
	*ret = raw;
	return 0;
}

/* ---- opening ---- */

int replica_open(const ReplicaSetup *setup, Replica **ret, Error *err)
{
	_cleanup_replica_ Replica *replica = calloc(1, sizeof(*replica));
	int r;

	if (replica) {
		replica->prefix = strdup(setup->prefix);
		replica->address = strdup(setup->address);
	}
	if (!replica || !replica->prefix || !replica->address)
		return error_errno(err, -ENOMEM, "Sharing the hub's state");
	if ((r = etcd_open(&setup->etcd, &replica->etcd, err)) < 0 ||
	    (r = name_make(replica->writer, err)) < 0)
		return r;
	*ret = steal_ptr(&replica);
	return 0;
}

void replica_detach(Replica *replica)
{
	if (replica->db)
		db_set_publish(replica->db, NULL, NULL);
	replica->db = NULL;
	replica->attached = false;
}

void replica_close(Replica *replica)
{
	if (!replica)
		return;
	replica_detach(replica);
	if (replica->lease)
		(void)etcd_lease_end(replica->etcd, replica->lease, NULL);
	etcd_close(replica->etcd);
	free(replica->prefix);
	free(replica->address);
	free(replica);
}

bool replica_leads(const Replica *replica)
{
	return replica->lease != 0;
}

const char *replica_leader(const Replica *replica)
{
	return replica->lease ? replica->address : replica->leader;
}

/* ---- what the leader changes ---- */

/* A member may have done what another one was asked for before and did not answer in time. */
static int change_is_ours(Replica *replica, const char *key, const Packed *packed, Error *err)
{
	_cleanup_etcd_values_ EtcdValues found = {0};
	int r = etcd_get(replica->etcd, key, &found, err);

	return r <= 0 ? r
		      : found.list[0].size == packed->size &&
				memcmp(found.list[0].bytes, packed->bytes, packed->size) == 0;
}

static int change_put(Replica *replica, int64_t number, const Packed *packed, Error *err)
{
	_cleanup_free_ char *leader = key_of(replica, "leader"), *key = log_key(replica, number);
	const EtcdCondition conditions[] = {{leader, replica->revision}, {key, 0}};
	const EtcdChange change = {.key = key, .bytes = packed->bytes, .size = packed->size};
	int r;

	if (!leader || !key)
		return error_errno(err, -ENOMEM, "Sharing a change");
	if (packed->size > ETCD_VALUE_MAX)
		return error_set(err, -E2BIG,
				 "A change of %zu KiB is more than etcd takes at once; this fleet "
				 "is too large for several hubs",
				 packed->size >> 10);
	r = etcd_put(replica->etcd, conditions, 2, &change, NULL, err);
	if (r == 0)
		r = change_is_ours(replica, key, packed, err);
	return r;
}

/* What cannot be told from a change that was made is followed by leading no more: the log says, and
 * whoever leads next goes by it. */
static int on_publish(void *data, const void *changes, size_t size, Error *err)
{
	Replica *replica = data;
	_cleanup_(packed_release) Packed packed = {0};
	char head[HEAD_MAX];
	int r;

	if (!replica->lease)
		return error_set(err, -EREMOTE, "This hub follows %s; ask that one",
				 *replica->leader ? replica->leader
						  : "another, which is being found out");
	(void)snprintf(head, sizeof(head), ENTRY_HEAD "%d %zu %s\n", db_schema_version(), size,
		       replica->writer);
	r = pack(head, changes, size, &packed, err);
	if (r == 0)
		r = change_put(replica, replica->applied + 1, &packed, err);
	if (r == 1) {
		replica->applied++;
		return 0;
	}
	if (r == -E2BIG || r == -ENOMEM)
		return r;
	replica->revision = -1;
	return r < 0 ? error_prefix(err, "Sharing a change with the other hubs")
		     : error_set(err, -EREMOTE, "Another hub leads now; ask again");
}

/* ---- what others change ---- */

static int entry_apply(Replica *replica, const EtcdValue *value, Error *err)
{
	const char *text = value->bytes;
	const char *end = memchr(text, '\n', value->size);
	_cleanup_free_ void *raw = NULL;
	size_t size = 0, head;
	int schema = 0, r;

	if (!end || sscanf(text, ENTRY_HEAD "%d %zu", &schema, &size) != 2)
		return error_set(err, -EBADMSG, "What etcd has at %s is no change of a hub's state",
				 value->key);
	if (schema > db_schema_version())
		return error_set(err, -EPROTO,
				 "The leading hub is of a newer segue: install that here, too");
	head = (size_t)(end - text) + 1;
	r = unpack(text + head, value->size - head, size, &raw, err);
	if (r == 0)
		r = db_apply(replica->db, raw, size, replica->applied + 1, err);
	if (r == 0)
		replica->applied++;
	return r;
}

/* All that there is.  -ESTALE: some of it is not there any more. */
static int catch_up(Replica *replica, bool *ret_changed, Error *err)
{
	_cleanup_free_ char *end = key_of(replica, "log0");
	size_t n = AT_A_TIME;
	int r = end ? 0 : error_errno(err, -ENOMEM, "Following the leading hub");

	while (r == 0 && n == AT_A_TIME) {
		_cleanup_free_ char *first = log_key(replica, replica->applied + 1);
		_cleanup_etcd_values_ EtcdValues values = {0};

		if (!first)
			return error_errno(err, -ENOMEM, "Following the leading hub");
		r = etcd_range(replica->etcd, first, end, AT_A_TIME, &values, err);
		n = values.n;
		for (size_t i = 0; r == 0 && i < n; i++) {
			_cleanup_free_ char *key = log_key(replica, replica->applied + 1);

			if (!key || strcmp(values.list[i].key, key) != 0)
				return error_set(err, -ESTALE, "This hub is too far behind");
			r = entry_apply(replica, &values.list[i], err);
			*ret_changed = true;
		}
	}
	return r;
}

/* ---- snapshots ---- */

typedef struct Snapshot {
	int64_t number;
	unsigned parts;
	size_t size, packed;
} Snapshot;

/* 1, or 0 if there is none. */
static int snapshot_find(Replica *replica, Snapshot *ret, Error *err)
{
	_cleanup_free_ char *key = key_of(replica, "snapshot");
	_cleanup_etcd_values_ EtcdValues found = {0};
	Snapshot snapshot = {0};
	long long number = 0;
	int schema = 0, r;

	if (!key)
		return error_errno(err, -ENOMEM, "Looking for the hub's state");
	r = etcd_get(replica->etcd, key, &found, err);
	if (r <= 0)
		return r;
	if (sscanf(found.list[0].bytes, SNAP_HEAD "%d %lld %u %zu %zu", &schema, &number,
		   &snapshot.parts, &snapshot.size, &snapshot.packed) != 5)
		return error_set(err, -EBADMSG, "What etcd has at %s is no state of a hub", key);
	if (schema > db_schema_version())
		return error_set(err, -EPROTO,
				 "What etcd has is of a newer segue: install that here, too");
	snapshot.number = number;
	*ret = snapshot;
	return 1;
}

static char *part_key(const Replica *replica, int64_t number, unsigned part)
{
	return text_format("%s/snapshot/%016llx/%04x", replica->prefix, (unsigned long long)number,
			   part);
}

static int parts_read(Replica *replica, const Snapshot *snapshot, char *packed, Error *err)
{
	size_t at = 0;

	for (unsigned i = 0; i < snapshot->parts; i++) {
		_cleanup_free_ char *key = part_key(replica, snapshot->number, i);
		_cleanup_etcd_values_ EtcdValues found = {0};
		int r = key ? etcd_get(replica->etcd, key, &found, err) : -ENOMEM;

		if (r < 0)
			return r;
		/* Another one took its place meanwhile. */
		if (r == 0 || found.list[0].size > snapshot->packed - at)
			return error_set(err, -EAGAIN, "The hub's state in etcd has just changed");
		memcpy(packed + at, found.list[0].bytes, found.list[0].size);
		at += found.list[0].size;
	}
	return at == snapshot->packed
		       ? 0
		       : error_set(err, -EBADMSG, "The hub's state in etcd is not whole");
}

static int database_write(const char *directory, const void *bytes, size_t size, Error *err)
{
	static const char *const rest[] = {DB_FILE "-wal", DB_FILE "-shm"};
	_cleanup_close_ int dir = -1, lock = -1;
	int r;

	if ((r = directory_make(AT_FDCWD, directory, 0700, err)) < 0 ||
	    (r = db_lock(directory, &lock, err)) < 0)
		return r;
	dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return error_errno(err, -errno, "Opening %s", directory);
	/* Those of the one that was there do not go with it. */
	for (size_t i = 0; i < sizeof(rest) / sizeof(*rest); i++)
		if (unlinkat(dir, rest[i], 0) < 0 && errno != ENOENT)
			return error_errno(err, -errno, "Removing %s/%s", directory, rest[i]);
	return file_write_atomic(dir, DB_FILE, bytes, size, 0600, err);
}

int replica_fetch(Replica *replica, const char *directory, Error *err)
{
	_cleanup_free_ char *packed = NULL;
	_cleanup_free_ void *raw = NULL;
	Snapshot snapshot;
	int r = snapshot_find(replica, &snapshot, err);

	if (r < 0)
		return r;
	if (r == 0)
		return error_set(err, -ENOENT,
				 "etcd has no state of a hub below %s; start the hub that has one "
				 "with --etcd-publish first",
				 replica->prefix);
	packed = snapshot.packed <= RAW_MAX ? malloc(snapshot.packed + 1) : NULL;
	if (!packed)
		return error_errno(err, -ENOMEM, "Taking the hub's state from etcd");
	if ((r = parts_read(replica, &snapshot, packed, err)) < 0 ||
	    (r = unpack(packed, snapshot.packed, snapshot.size, &raw, err)) < 0)
		return r;
	return database_write(directory, raw, snapshot.size, err);
}

static int key_put(Replica *replica, const char *key, const void *bytes, size_t size, Error *err)
{
	_cleanup_free_ char *leader = key_of(replica, "leader");
	const EtcdCondition condition = {leader, replica->revision};
	const EtcdChange change = {.key = key, .bytes = bytes, .size = size};
	int r = leader && key ? etcd_put(replica->etcd, &condition, 1, &change, NULL, err)
			      : error_errno(err, -ENOMEM, "Putting the hub's state into etcd");

	return r == 0 ? error_set(err, -ESTALE, "Another hub leads now") : r < 0 ? r : 0;
}

static int parts_put(Replica *replica, const Packed *packed, unsigned *ret_parts, Error *err)
{
	unsigned parts = 0;
	int r = 0;

	for (size_t at = 0; r == 0 && at < packed->size; at += PART_SIZE) {
		_cleanup_free_ char *key = part_key(replica, replica->applied, parts++);
		size_t left = packed->size - at;

		r = key_put(replica, key, packed->bytes + at, left < PART_SIZE ? left : PART_SIZE,
			    err);
	}
	*ret_parts = parts;
	return r;
}

/* What nobody needs any more who is not far behind. */
static int tidy(Replica *replica, Error *err)
{
	_cleanup_free_ char *parts = part_key(replica, 0, 0), *log = log_key(replica, 0),
			    *parts_end = part_key(replica, replica->applied, 0),
			    *log_end = log_key(replica, replica->applied - LOG_KEPT);
	int r;

	if (!parts || !log || !parts_end || !log_end)
		return error_errno(err, -ENOMEM, "Removing what is old from etcd");
	r = etcd_remove(replica->etcd, parts, parts_end, err);
	if (r == 0 && replica->applied > LOG_KEPT)
		r = etcd_remove(replica->etcd, log, log_end, err);
	return r;
}

static int database_read(Replica *replica, char **ret, size_t *ret_size, Error *err)
{
	_cleanup_free_ char *path = text_format("%s." SNAPSHOT_NEW, db_path(replica->db));
	int r;

	if (!path)
		return error_errno(err, -ENOMEM, "Copying the database");
	(void)unlink(path);
	r = db_copy(replica->db, path, err);
	if (r == 0)
		r = file_read(AT_FDCWD, path, ret, ret_size, err);
	(void)unlink(path);
	return r;
}

static int snapshot_put(Replica *replica, Error *err)
{
	_cleanup_free_ char *key = key_of(replica, "snapshot"), *raw = NULL;
	_cleanup_(packed_release) Packed packed = {0};
	char head[HEAD_MAX];
	unsigned parts = 0;
	size_t size = 0;
	int r;

	if ((r = database_read(replica, &raw, &size, err)) < 0 ||
	    (r = pack("", raw, size, &packed, err)) < 0 ||
	    (r = parts_put(replica, &packed, &parts, err)) < 0)
		return r;
	(void)snprintf(head, sizeof(head), SNAP_HEAD "%d %lld %u %zu %zu\n", db_schema_version(),
		       (long long)replica->applied, parts, size, packed.size);
	r = key_put(replica, key, head, strlen(head), err);
	if (r < 0)
		return r;
	replica->snapshot = replica->applied;
	return tidy(replica, err);
}

/* ---- leading ---- */

static int leader_find(Replica *replica, Error *err)
{
	_cleanup_free_ char *key = key_of(replica, "leader");
	_cleanup_etcd_values_ EtcdValues found = {0};
	int r = key ? etcd_get(replica->etcd, key, &found, err)
		    : error_errno(err, -ENOMEM, "Looking for the leading hub");

	if (r < 0)
		return r;
	(void)snprintf(replica->leader, sizeof(replica->leader), "%s",
		       r ? (const char *)found.list[0].bytes : "");
	return r;
}

static void lead_no_more(Replica *replica)
{
	if (replica->lease)
		(void)etcd_lease_end(replica->etcd, replica->lease, NULL);
	replica->lease = 0;
	replica->revision = 0;
}

/* 1: it leads, though it may have to catch up; 0: another one was faster. */
static int lead(Replica *replica, Error *err)
{
	_cleanup_free_ char *key = key_of(replica, "leader");
	const EtcdCondition condition = {key, 0};
	EtcdChange change = {
		.key = key, .bytes = replica->address, .size = strlen(replica->address)};
	int64_t lease = 0;
	int r = key ? etcd_lease(replica->etcd, REPLICA_LEASE_S, &lease, err)
		    : error_errno(err, -ENOMEM, "Becoming the leading hub");

	if (r < 0)
		return r;
	change.lease = lease;
	replica->heard_us = clock_monotonic_us();
	r = etcd_put(replica->etcd, &condition, 1, &change, &replica->revision, err);
	if (r > 0)
		replica->lease = lease;
	else
		(void)etcd_lease_end(replica->etcd, lease, NULL);
	return r;
}

/* What the last leader has put, and nobody puts any more. */
static int succeed(Replica *replica, ReplicaNews *news, Error *err)
{
	Snapshot snapshot = {0};
	int r = catch_up(replica, &news->changed, err);

	if (r == 0)
		r = snapshot_find(replica, &snapshot, err);
	if (r >= 0 && snapshot.number > replica->applied)
		r = error_set(err, -ESTALE, "This hub is too far behind");
	if (r < 0) {
		lead_no_more(replica);
		return r;
	}
	replica->snapshot = snapshot.number;
	news->leads = true;
	return 0;
}

int replica_follow(Replica *replica, ReplicaNews *ret, Error *err)
{
	int r;

	*ret = (ReplicaNews){0};
	if (!replica->attached && (r = replica_attach(replica, replica->db, false, err)) < 0)
		return r;
	if ((r = catch_up(replica, &ret->changed, err)) < 0 ||
	    (r = leader_find(replica, err)) < 0 || r > 0)
		return r < 0 ? r : 0;
	r = lead(replica, err);
	return r > 0 ? succeed(replica, ret, err) : r;
}

int replica_keep(Replica *replica, Error *err)
{
	int r = replica->revision < 0 ? 0 : etcd_lease_keep(replica->etcd, replica->lease, err);
	int64_t now_us = clock_monotonic_us();

	if (r > 0)
		replica->heard_us = now_us;
	/* From then on another one may lead, which this one would hear of last. */
	if (r == 0 || now_us - replica->heard_us > LEASE_US) {
		lead_no_more(replica);
		return error_set(err, -ESTALE, "This hub leads no more");
	}
	if (r < 0)
		return r;
	return replica->applied - replica->snapshot >= SNAP_EVERY ? snapshot_put(replica, err) : 0;
}

/* ---- the database ---- */

static int cluster_find(Replica *replica, char ret[NAME_MAX_], Error *err)
{
	_cleanup_free_ char *key = key_of(replica, "cluster");
	_cleanup_etcd_values_ EtcdValues found = {0};
	int r = key ? etcd_get(replica->etcd, key, &found, err)
		    : error_errno(err, -ENOMEM, "Looking for the hub's state");

	if (r > 0)
		(void)snprintf(ret, NAME_MAX_, "%s", (const char *)found.list[0].bytes);
	return r;
}

static int first_put(Replica *replica, Error *err)
{
	_cleanup_free_ char *key = key_of(replica, "cluster");
	const EtcdCondition condition = {key, 0};
	char name[NAME_MAX_];
	const EtcdChange change = {.key = key, .bytes = name, .size = NAME_MAX_ - 1};
	int r;

	if (!key)
		return error_errno(err, -ENOMEM, "Putting the hub's state into etcd");
	if ((r = name_make(name, err)) < 0 || (r = lead(replica, err)) < 0)
		return r;
	if (r > 0 && (r = etcd_put(replica->etcd, &condition, 1, &change, NULL, err)) < 0)
		return r;
	if (r == 0) {
		lead_no_more(replica);
		return error_set(err, -EEXIST,
				 "etcd has the state of a hub below %s already: start without "
				 "--etcd-publish to follow it, from an empty directory, or choose "
				 "another --etcd-prefix",
				 replica->prefix);
	}
	replica->applied = 0;
	if ((r = db_replica_set(replica->db, name, 0, err)) == 0)
		r = snapshot_put(replica, err);
	lead_no_more(replica);
	return r;
}

int replica_attach(Replica *replica, Db *db, bool publish, Error *err)
{
	char mine[NAME_MAX_] = "", theirs[NAME_MAX_] = "";
	int r;

	replica->db = db;
	db_set_publish(db, on_publish, replica);
	if (publish && (r = first_put(replica, err)) < 0)
		return r;
	if ((r = db_replica_get(db, mine, sizeof(mine), &replica->applied, err)) < 0 ||
	    (r = cluster_find(replica, theirs, err)) < 0)
		return r;
	if (r == 0)
		return error_set(err, -ENOENT,
				 "etcd has no state of a hub below %s; --etcd-publish puts that of "
				 "this one there",
				 replica->prefix);
	if (strcmp(mine, theirs) != 0)
		return error_set(err, -EBADMSG,
				 "What etcd has below %s is the state of another hub than this "
				 "one's; start this one with an empty directory to follow it, or "
				 "choose another --etcd-prefix",
				 replica->prefix);
	replica->attached = true;
	return 0;
}

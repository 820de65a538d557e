/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/pagemap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

/* criu/include/magic.h, pagemap.h, image.h. */
#define MAGIC_COMMON  0x54564319U
#define MAGIC_PAGEMAP 0x56084025U
#define MAGIC_MM      0x57492820U
#define FLAG_PARENT   1U
#define FLAG_LAZY     2U
#define FLAG_PRESENT  4U
/* vsyscall, vdso, vvar, the ring of asynchronous I/O, and the shadow stack are the kernel's. */
#define VMA_KERNELS (1U << 2 | 1U << 3 | 1U << 12 | 1U << 13 | 1U << 15)
#define LEVELS_MOST 16

/* ---- messages ---- */

/* What is left of an image or of a message in it. */
typedef struct Bytes {
	unsigned char *at, *end;
} Bytes;

static bool bytes_varint(Bytes *b, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned shift = 0; b->at < b->end && shift < 64; shift += 7) {
		unsigned char byte = *b->at++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret = value;
			return true;
		}
	}
	return false;
}

/* One field: its number, and its value or, of a message or text within, what it holds. */
typedef struct Field {
	uint64_t number, value;
	Bytes content;
	unsigned char *at; /* of the value */
} Field;

static bool field_next(Bytes *b, Field *ret)
{
	uint64_t key, size;

	if (!bytes_varint(b, &key))
		return false;
	*ret = (Field){.number = key >> 3, .at = b->at};
	switch (key & 7) {
	case 0:
		return bytes_varint(b, &ret->value);
	case 1:
	case 5:
		size = (key & 7) == 1 ? 8 : 4;
		break;
	case 2:
		if (!bytes_varint(b, &size))
			return false;
		break;
	default:
		return false;
	}
	if (size > (uint64_t)(b->end - b->at))
		return false;
	ret->content = (Bytes){b->at, b->at + size};
	b->at += size;
	return true;
}

static bool word_next(Bytes *b, uint32_t *ret)
{
	if (b->end - b->at < 4)
		return false;
	*ret = (uint32_t)b->at[0] | (uint32_t)b->at[1] << 8 | (uint32_t)b->at[2] << 16 |
	       (uint32_t)b->at[3] << 24;
	b->at += 4;
	return true;
}

static bool message_next(Bytes *b, Bytes *ret)
{
	uint32_t size;

	if (!word_next(b, &size) || size > (uint64_t)(b->end - b->at))
		return false;
	*ret = (Bytes){b->at, b->at + size};
	b->at += size;
	return true;
}

static int image_read(int dirfd, const char *name, uint32_t magic, char **ret_data,
		      size_t *ret_size, Bytes *ret, Error *err)
{
	uint32_t common = 0, own = 0;
	int r = file_read(dirfd, name, ret_data, ret_size, err);

	if (r < 0)
		return r;
	*ret = (Bytes){(unsigned char *)*ret_data, (unsigned char *)*ret_data + *ret_size};
	if (!word_next(ret, &common) || !word_next(ret, &own) || common != MAGIC_COMMON ||
	    own != magic)
		return error_set(err, -EBADMSG, "%s is no such image of criu's", name);
	return 0;
}

/* ---- pagemap-PID.img ---- */

typedef struct Entry {
	uint64_t start, end;
	uint32_t flags;
	unsigned char *flags_at; /* of one byte */
	uint64_t offset;         /* in the pages, of one that has them */
} Entry;

typedef struct Entries {
	Entry *entries;
	size_t n;
	uint64_t pages_id;
	char *data; /* the image */
	size_t size;
} Entries;

static void entries_free(Entries *list)
{
	free(list->entries);
	free(list->data);
	*list = (Entries){0};
}

static bool entry_parse(Bytes message, Entry *ret)
{
	uint64_t pages = 0;
	Field f;

	*ret = (Entry){0};
	while (message.at < message.end) {
		if (!field_next(&message, &f))
			return false;
		if (f.number == 1)
			ret->start = f.value;
		/* Field 2 was for them before it became too small. */
		else if (f.number == 5 || (f.number == 2 && pages == 0))
			pages = f.value;
		else if (f.number == 4) {
			ret->flags = (uint32_t)f.value;
			ret->flags_at = f.at;
		}
	}
	if (pages > (UINT64_MAX - ret->start) / MEMORY_PAGE)
		return false;
	ret->end = ret->start + pages * MEMORY_PAGE;
	return ret->flags < 0x80;
}

static int entries_parse(Bytes image, Entries *list, Error *err)
{
	uint64_t offset = 0, last = 0;
	size_t room = 0;
	Bytes message;
	Field f;

	if (!message_next(&image, &message) || !field_next(&message, &f) || f.number != 1)
		return error_set(err, -EBADMSG, "A pagemap has no head");
	list->pages_id = f.value;
	while (image.at < image.end) {
		Entry entry;

		if (!message_next(&image, &message) || !entry_parse(message, &entry) ||
		    entry.start < last)
			return error_set(err, -EBADMSG, "A pagemap's entry %zu is damaged",
					 list->n);
		if (list->n == room) {
			Entry *more =
				realloc(list->entries, (room = room * 2 + 64) * sizeof(*more));

			if (!more)
				return error_errno(err, -ENOMEM, "Reading a pagemap");
			list->entries = more;
		}
		last = entry.end;
		entry.offset = offset;
		if (entry.flags & FLAG_PRESENT)
			offset += entry.end - entry.start;
		list->entries[list->n++] = entry;
	}
	return 0;
}

static int entries_read(int dirfd, pid_t pid, Entries *ret, Error *err)
{
	char name[40];
	Bytes image;
	int r;

	*ret = (Entries){0};
	(void)snprintf(name, sizeof(name), "pagemap-%d.img", (int)pid);
	r = image_read(dirfd, name, MAGIC_PAGEMAP, &ret->data, &ret->size, &image, err);
	if (r == 0)
		r = entries_parse(image, ret, err);
	if (r < 0)
		entries_free(ret);
	return r < 0 ? error_prefix(err, "%s", name) : 0;
}

/* The first entry that ends after `address`. */
static size_t entry_at(const Entries *list, uint64_t address)
{
	size_t low = 0, high = list->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (list->entries[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* ---- which pages are lazy ---- */

typedef struct Area {
	uint64_t start, end;
	bool lazy;
} Area;

typedef struct Areas {
	Area *areas;
	size_t n;
} Areas;

static bool area_parse(Bytes message, Area *ret)
{
	uint64_t flags = 0, status = 0;
	Field f;

	*ret = (Area){0};
	while (message.at < message.end) {
		if (!field_next(&message, &f))
			return false;
		if (f.number == 1)
			ret->start = f.value;
		else if (f.number == 2)
			ret->end = f.value;
		else if (f.number == 6)
			flags = f.value;
		else if (f.number == 7)
			status = f.value;
	}
	ret->lazy = (flags & MAP_ANONYMOUS) && (flags & MAP_PRIVATE) &&
		    !(flags & (MAP_LOCKED | MAP_HUGETLB | MAP_GROWSDOWN)) &&
		    !(status & VMA_KERNELS);
	return ret->start <= ret->end;
}

static int areas_parse(Bytes image, Areas *areas, Error *err)
{
	Bytes message;
	Field f;

	if (!message_next(&image, &message))
		return error_set(err, -EBADMSG, "It is cut off");
	while (message.at < message.end) {
		Area *more;

		if (!field_next(&message, &f))
			return error_set(err, -EBADMSG, "It is damaged");
		if (f.number != 14)
			continue;
		more = realloc(areas->areas, (areas->n + 1) * sizeof(*more));
		if (!more)
			return error_errno(err, -ENOMEM, "Reading it");
		areas->areas = more;
		if (!area_parse(f.content, &more[areas->n++]))
			return error_set(err, -EBADMSG, "Its area %zu is damaged", areas->n);
	}
	return 0;
}

static bool is_within(const Areas *areas, const Entry *entry)
{
	for (size_t i = 0; i < areas->n; i++)
		if (areas->areas[i].lazy && areas->areas[i].start <= entry->start &&
		    entry->end <= areas->areas[i].end)
			return true;
	return false;
}

static int areas_read(int dirfd, pid_t pid, Areas *areas, Error *err)
{
	_cleanup_free_ char *data = NULL;
	char name[32];
	size_t size;
	Bytes image;
	int r;

	(void)snprintf(name, sizeof(name), "mm-%d.img", (int)pid);
	r = image_read(dirfd, name, MAGIC_MM, &data, &size, &image, err);
	if (r == 0)
		r = areas_parse(image, areas, err);
	return r < 0 ? error_prefix(err, "%s", name) : 0;
}

static int task_mark(int dirfd, pid_t pid, const char *name, Error *err)
{
	Entries list;
	Areas areas = {0};
	bool changed = false;
	int r = entries_read(dirfd, pid, &list, err);

	if (r < 0)
		return r;
	r = areas_read(dirfd, pid, &areas, err);
	for (size_t i = 0; r == 0 && i < list.n; i++) {
		const Entry *entry = &list.entries[i];

		if (entry->flags != FLAG_PARENT || !entry->flags_at || !is_within(&areas, entry))
			continue;
		*entry->flags_at = FLAG_PARENT | FLAG_LAZY;
		changed = true;
	}
	if (r == 0 && changed)
		r = file_write_atomic(dirfd, name, list.data, list.size, 0600, err);
	free(areas.areas);
	entries_free(&list);
	return r;
}

int pagemap_mark_lazy(int dirfd, Error *err)
{
	_cleanup_closedir_ DIR *dir =
		fdopendir(openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	const struct dirent *entry;
	int r = 0;

	if (!dir)
		return error_errno(err, -errno, "Reading the images' directory");
	while (r == 0 && (entry = readdir(dir))) {
		int pid, length = 0;

		/* Not pagemap-shmem-N.img. */
		if (sscanf(entry->d_name, "pagemap-%d.img%n", &pid, &length) == 1 &&
		    (size_t)length == strlen(entry->d_name))
			r = task_mark(dirfd, pid, entry->d_name, err);
	}
	return r;
}

/* ---- where the pages are ---- */

/* One round's images of the task, the last first. */
typedef struct Level {
	Entries list;
	const unsigned char *pages;
	uint64_t size;
} Level;

static int pages_map(int dirfd, uint64_t id, PageMap *map, Level *level, Error *err)
{
	_cleanup_free_ char *name = text_format("pages-%llu.img", (unsigned long long)id);
	_cleanup_close_ int fd = name ? openat(dirfd, name, O_RDONLY | O_CLOEXEC) : -1;
	PageFile *more = realloc(map->files, (map->n_files + 1) * sizeof(*more));
	struct stat st;
	void *data;

	if (more)
		map->files = more;
	if (!name || !more)
		return error_errno(err, -ENOMEM, "Mapping pages");
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, -errno, "Opening %s", name);
	if (st.st_size == 0)
		return 0;
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (data == MAP_FAILED)
		return error_errno(err, -errno, "Mapping %s", name);
	more[map->n_files++] = (PageFile){data, (size_t)st.st_size};
	level->pages = data;
	level->size = (uint64_t)st.st_size;
	return 0;
}

static int levels_open(int dirfd, pid_t pid, PageMap *map, Level *levels, size_t *n, Error *err)
{
	_cleanup_close_ int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	while (fd >= 0) {
		int r, next;

		if (*n == LEVELS_MOST)
			return error_set(err, -ELOOP, "More than %d rounds", LEVELS_MOST);
		r = entries_read(fd, pid, &levels[*n].list, err);
		if (r == -ENOENT && *n > 0) /* began to exist after that round */
			return 0;
		if (r < 0)
			return r;
		(*n)++;
		r = pages_map(fd, levels[*n - 1].list.pages_id, map, &levels[*n - 1], err);
		if (r < 0)
			return r;
		next = openat(fd, "parent", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		cleanup_close(&fd);
		fd = next;
	}
	return *n > 0 ? 0 : error_errno(err, -errno, "Opening the images");
}

static int run_add(PageMap *map, size_t *room, uint64_t start, uint64_t end,
		   const unsigned char *pages, Error *err)
{
	PageRun *last = map->n ? &map->runs[map->n - 1] : NULL;

	if (last && last->end == start && last->pages + (last->end - last->start) == pages) {
		last->end = end;
		return 0;
	}
	if (map->n == *room) {
		PageRun *more = realloc(map->runs, (*room = *room * 2 + 64) * sizeof(*more));

		if (!more)
			return error_errno(err, -ENOMEM, "Reading a pagemap");
		map->runs = more;
	}
	map->runs[map->n++] = (PageRun){start, end, pages};
	return 0;
}

/* Adds the pages from `start` to `end`, which are in this round's images or in an earlier one's. */
static int range_add(PageMap *map, size_t *room, const Level *levels, size_t n, uint64_t start,
		     uint64_t end, Error *err)
{
	int r = 0;

	for (size_t i = n ? entry_at(&levels->list, start) : 0; r == 0 && start < end; i++) {
		const Entry *entry;
		uint64_t stop, at;

		if (n == 0 || i >= levels->list.n || levels->list.entries[i].start > start)
			return error_set(err, -EBADMSG, "The page at %#llx is in no image",
					 (unsigned long long)start);
		entry = &levels->list.entries[i];
		stop = entry->end < end ? entry->end : end;
		at = entry->offset + (start - entry->start);
		if (!(entry->flags & FLAG_PRESENT))
			r = range_add(map, room, levels + 1, n - 1, start, stop, err);
		else if (at + (stop - start) > levels->size)
			r = error_set(err, -EBADMSG, "The pages are cut off at %llu bytes",
				      (unsigned long long)levels->size);
		else
			r = run_add(map, room, start, stop, levels->pages + at, err);
		start = stop;
	}
	return r;
}

int pagemap_open(int dirfd, pid_t pid, PageMap *ret, Error *err)
{
	Level levels[LEVELS_MOST] = {0};
	size_t n = 0, room = 0;
	int r;

	*ret = (PageMap){0};
	r = levels_open(dirfd, pid, ret, levels, &n, err);
	for (size_t i = 0; r == 0 && i < levels[0].list.n; i++) {
		const Entry *entry = &levels[0].list.entries[i];

		if (entry->flags & FLAG_LAZY)
			r = range_add(ret, &room, levels, n, entry->start, entry->end, err);
	}
	for (size_t i = 0; i < n; i++)
		entries_free(&levels[i].list);
	if (r < 0)
		pagemap_close(ret);
	return r < 0 ? error_prefix(err, "Memory of process %d", (int)pid) : 0;
}

void pagemap_close(PageMap *map)
{
	for (size_t i = 0; i < map->n_files; i++)
		(void)munmap(map->files[i].map, map->files[i].size);
	free(map->files);
	free(map->runs);
	*map = (PageMap){0};
}

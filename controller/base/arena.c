/* See arena.h. */
#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define ARENA_CHUNK_SIZE 4096
#define ARENA_ALIGN	 16

struct arena_chunk {
	struct arena_chunk *next;
	size_t size; /* bytes in data */
	_Alignas(ARENA_ALIGN) unsigned char data[];
};

void arena_fini(struct arena *arena)
{
	struct arena_chunk *next;

	for (struct arena_chunk *chunk = arena->chunks; chunk != NULL; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	*arena = (struct arena){0};
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct arena_chunk *chunk = arena->chunks;

	size = (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
	if (chunk == NULL || chunk->size - arena->used < size) {
		size_t room = size > ARENA_CHUNK_SIZE ? size : ARENA_CHUNK_SIZE;

		chunk = xcalloc(1, sizeof(*chunk) + room);
		chunk->size = room;
		chunk->next = arena->chunks;
		arena->chunks = chunk;
		arena->used = 0;
	}
	void *memory = chunk->data + arena->used;
	arena->used += size;
	return memory;
}

char *arena_strdup(struct arena *arena, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = arena_alloc(arena, size);

	memcpy(copy, text, size);
	return copy;
}

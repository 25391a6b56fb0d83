/* For tests that make a directory of their own: its end, with all that is in it. */
#ifndef HG_BASE_DIR_TESTING_H
#define HG_BASE_DIR_TESTING_H

#include <ftw.h>
#include <stdio.h>

static inline int testing_remove_one(
	const char *path, const struct stat *info, int type, struct FTW *ftw)
{
	(void)info;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* Whatever can't be removed stays. */
static inline void testing_remove_dir(const char *path)
{
	nftw(path, testing_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif

/* Which build this is: a row, a report and `--version` say it, so that results of two builds are never taken
 * for one. Texts are borrowed and stay. */
#ifndef TN_BUILD_H
#define TN_BUILD_H

/* "0.2.0+g0123456789ab": the release and the commit it was built from. Where tracked files differed from the
 * commit, "-dirty." and eight digits of what differed follow: two edits are two builds. "0.2.0" alone where
 * the source told no commit. At most 47 bytes. */
const char *tn_build_version(void);
const char *tn_build_release(void); /* "0.2.0" */
const char *tn_build_commit(void);  /* 40 or 64 hexadecimal digits; "" where it is not known */
/* 1: tracked files differed from the commit when this was built; 0: they did not; −1: not known (no git, as
 * in an archive of a commit). */
int tn_build_dirty(void);

#endif

/* What the parts of session-guard have of each other. */
#define LONGEST 4096

/* Opens the directory of a path below another directory, by no link, and gives the last name; -1 where that fails. */
int walk_from(int directory, const char *path, const char **last);

/* git_links.c. A git directory, which is whole, or a part of one that is read-only. */
void guard_links_of(const char *git, int is_whole);
/* Moves links and pipes that appear in them out of the way; returns where there is nothing to guard. Whether it is in a
 * container says whether it may end all programs that it sees. */
void guard_links(int in_container);

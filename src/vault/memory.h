#pragma once

/*
 * SQLite's memory, apart from everybody else's. A database that is opened and closed again while other things come and
 * stay would leave holes between them, which cost a page each; here, all of it is given back at once.
 *
 * Blocks of up to 112 KiB come from a region of address space, in size classes whose free blocks are kept in lists;
 * what is larger, or finds the region full, comes from malloc().
 */

/* Before anything else of SQLite's is called; later it does nothing. */
void memory_use(void);

/* What is allocated now stays: its place is kept when all that came later is given back. For before a fork. */
void memory_mark(void);

/* Gives the region back, where everything that came after the mark has been freed. */
void memory_trim(void);

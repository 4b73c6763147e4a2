# Huge pages of memory, zeroed: what key tables are made of. Owns a pool that takes back what it gave, and a thread that keeps
# some pages ready, for memory that the system gives for the first time must be cleared, which no event should wait for.
# Uses memory.pxi.

cdef size_t ARENA_BYTES = 32 * HUGE_PAGE_BYTES


cdef void pool_open(page_pool *pool) noexcept nogil:
    """The pool must not move afterwards."""
    memset(pool, 0, sizeof(page_pool))
    pthread_mutex_init(&pool.mutex, NULL)
    pthread_cond_init(&pool.changed, NULL)
    pool.pages_ahead = PAGES_AHEAD


cdef void pool_start(page_pool *pool) noexcept nogil:
    """Under the mutex: have the thread run."""
    if not pool.has_thread:
        pool.has_thread = pthread_create(&pool.thread, NULL, pool_keep_ready, pool) == 0


cdef bint pool_add_ready(page_pool *pool) noexcept nogil:
    """Under the mutex, which is let go meanwhile: make one more page ready; False where there is no memory."""
    cdef uint8_t *page = pool_find(pool)
    if page == NULL:
        return False
    pthread_mutex_unlock(&pool.mutex)
    memset(page, 0, HUGE_PAGE_BYTES)
    pthread_mutex_lock(&pool.mutex)
    push_page(&pool.ready, page)
    pool.ready_count += 1
    return True


cdef bint pool_prepare(page_pool *pool, size_t pages_ahead) noexcept nogil:
    """Make so many pages ready, and keep them so from now on; False where there is no memory for them."""
    cdef bint has_memory = True
    pthread_mutex_lock(&pool.mutex)
    pool.pages_ahead = max(pages_ahead, pool.pages_ahead)
    while has_memory and pool.ready_count < pages_ahead:
        has_memory = pool_add_ready(pool)
    pthread_mutex_unlock(&pool.mutex)
    return has_memory


cdef void pool_close(page_pool *pool) noexcept nogil:
    pthread_mutex_lock(&pool.mutex)
    pool.closing = True
    pthread_cond_broadcast(&pool.changed)
    pthread_mutex_unlock(&pool.mutex)
    if pool.has_thread:
        pthread_join(pool.thread, NULL)
    for at in range(pool.arena_count):
        munmap(pool.arenas[at], ARENA_BYTES)
    free(pool.arenas)
    pthread_cond_destroy(&pool.changed)
    pthread_mutex_destroy(&pool.mutex)


cdef bint pool_add_arena(page_pool *pool) noexcept nogil:
    cdef uint8_t **arenas = <uint8_t **>realloc(pool.arenas, (pool.arena_count + 1) * sizeof(uint8_t *))
    cdef uint8_t *arena
    if arenas == NULL:
        return False
    pool.arenas = arenas
    arena = <uint8_t *>reserve_memory(ARENA_BYTES)
    if arena == NULL:
        return False
    arenas[pool.arena_count] = arena
    pool.arena_count += 1
    # The first whole page begins at a multiple of its size, so that each is one huge page.
    pool.fresh = arena + (HUGE_PAGE_BYTES - <size_t>arena % HUGE_PAGE_BYTES) % HUGE_PAGE_BYTES
    pool.fresh_end = arena + ARENA_BYTES
    return True


cdef void push_page(uint8_t **list_, uint8_t *page) noexcept nogil:
    memcpy(page, list_, sizeof(uint8_t *))
    list_[0] = page


cdef uint8_t *pop_page(uint8_t **list_) noexcept nogil:
    cdef uint8_t *page = list_[0]
    if page != NULL:
        memcpy(list_, page, sizeof(uint8_t *))
    return page


cdef uint8_t *pool_find(page_pool *pool) noexcept nogil:
    """Under the mutex: a page with anything in it; NULL where there is no memory."""
    cdef uint8_t *page = pop_page(&pool.returned)
    if page != NULL:
        return page
    if <size_t>(pool.fresh_end - pool.fresh) < HUGE_PAGE_BYTES and not pool_add_arena(pool):
        return NULL
    page = pool.fresh
    pool.fresh += HUGE_PAGE_BYTES
    return page


cdef void *pool_keep_ready(void *argument) noexcept nogil:
    """The thread's body. It waits until few pages are left, so that a short peak lives on what was ready before it."""
    cdef page_pool *pool = <page_pool *>argument
    cdef bint filling = True
    nice(19)  # of this thread alone, on Linux: it is for idle moments, and what is not ready is cleared by whoever takes it
    pthread_mutex_lock(&pool.mutex)
    while not pool.closing:
        filling = pool.ready_count < (pool.pages_ahead if filling else pool.pages_ahead // 4)
        if not filling or not pool_add_ready(pool):
            pthread_cond_wait(&pool.changed, &pool.mutex)
    pthread_mutex_unlock(&pool.mutex)
    return NULL


cdef uint8_t *pool_take(page_pool *pool) noexcept nogil:
    """A page, all zero; NULL where the system has no memory. Starts the thread with the first."""
    cdef uint8_t *page
    cdef bint is_zero
    pthread_mutex_lock(&pool.mutex)
    pool_start(pool)
    page = pop_page(&pool.ready)
    is_zero = page != NULL
    if is_zero:
        pool.ready_count -= 1
    else:
        page = pool_find(pool)
    pthread_cond_signal(&pool.changed)
    pthread_mutex_unlock(&pool.mutex)
    if page != NULL:
        memset(page, 0, sizeof(uint8_t *) if is_zero else HUGE_PAGE_BYTES)  # a page in a list begins with the next one's address
    return page


cdef void pool_return(page_pool *pool, uint8_t *page) noexcept nogil:
    pthread_mutex_lock(&pool.mutex)
    push_page(&pool.returned, page)
    pthread_cond_signal(&pool.changed)
    pthread_mutex_unlock(&pool.mutex)

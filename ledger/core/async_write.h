/* One write at a time that goes on while its caller computes: Linux's asynchronous I/O (io_submit(2)), which needs a file opened with
 * O_DIRECT to be any use. Where the system gives no context, or the file takes none, the write is done at once, by pwrite(2). */
#pragma once

#include <errno.h>
#include <linux/aio_abi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef struct {
  aio_context_t context; /* 0: there is none */
  int fd;
  const uint8_t *data;
  size_t length;
  uint64_t byte_offset;
  bool is_submitted;
} async_write;

static void async_write_open(async_write *write) {
  memset(write, 0, sizeof *write);
  if (syscall(SYS_io_setup, 1, &write->context) != 0) write->context = 0;
}

static void async_write_close(async_write *write) {
  if (write->context) syscall(SYS_io_destroy, write->context);
  write->context = 0;
}

/* Begin a write; the data must stay as it is until async_write_end. */
static void async_write_begin(async_write *write, int fd, const uint8_t *data, size_t length, uint64_t byte_offset) {
  struct iocb block = {0}, *blocks = &block;
  write->fd = fd, write->data = data, write->length = length, write->byte_offset = byte_offset;
  block.aio_lio_opcode = IOCB_CMD_PWRITE;
  block.aio_fildes = (uint32_t)fd;
  block.aio_buf = (uint64_t)(uintptr_t)data;
  block.aio_nbytes = length;
  block.aio_offset = (int64_t)byte_offset;
  write->is_submitted = write->context && syscall(SYS_io_submit, write->context, 1, &blocks) == 1;
}

/* Wait for it. Returns how many bytes are written, or minus an errno; 0: none was begun, and pwrite(2) has to do it all. */
static ssize_t async_write_end(async_write *write) {
  struct io_event event;
  if (!write->is_submitted) return 0;
  while (syscall(SYS_io_getevents, write->context, 1, 1, &event, NULL) != 1)
    if (errno != EINTR) return -errno;
  return (ssize_t)event.res;
}

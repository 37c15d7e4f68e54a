# Machine mode on the `virt` board: one hart, a stack, floating point on, then main and the test finisher.
  .section .text.start
  .globl _start
_start:
  csrr t0, mhartid
  bnez t0, halt
  li t0, 0x2000            # mstatus.FS = initial
  csrs mstatus, t0
  csrw fcsr, zero
  la t0, trap
  csrw mtvec, t0
  la sp, stack_end
  la t0, bss_start
  la t1, bss_end
1:
  bgeu t0, t1, 2f
  sd zero, 0(t0)
  addi t0, t0, 8
  j 1b
2:
  call main
  li t0, 0x100000          # test finisher: 0x5555 ends well, 0x3333 | code << 16 does not
  li t1, 0x5555
  beqz a0, 3f
  li t1, 0x13333
3:
  sw t1, 0(t0)
halt:
  wfi
  j halt
  .align 2
trap:
  li t0, 0x100000
  li t1, 0x23333
  sw t1, 0(t0)
  j halt

// From reset to Rust on each CPU.
//
// The image starts with the header of a raw arm64 Image: 64 bytes, of which the first instruction is the entry. An
// ELF is entered there too. Source: the boot protocol of arm64 Linux, "Booting AArch64 Linux".
// Entry is at EL1 or EL2, with either stack pointer; the kernel runs at EL1.
// First CPU: QEMU's entry with the MMU off. A temporary table of 1 GiB blocks (ASID 0, not
// global) makes memory normal, so that Rust's atomics work; Rust then builds the real one (ASID 1).
// Other CPUs: PSCI's entry, x0 = their arch::boot::SecondaryBoot, written and cleaned by the first.

    .pushsection .head, "ax", %progbits
    .global _start
_start:
    b       first_cpu                   // code0
    nop                                 // code1
    .quad   __text_offset               // from a 2 MiB boundary, the start of RAM on `virt`
    .quad   __image_size                // with .bss and the boot stack
    .quad   1 << 1                      // flags: little-endian, 4 KiB pages, near the start of RAM
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .long   0
    .popsection

    .pushsection .text.boot, "ax", %progbits
    .balign 8
first_cpu:
    msr     daifset, #0xf
    msr     spsel, #1                   // with the other one SP_EL0 is out of reach
    mov     x19, x0                     // where a boot loader left the device tree
    mrs     x24, CurrentEL
    lsr     x24, x24, #2                // the level of entry: the version line tells it
    mov     x21, xzr                    // why it cannot run here, a text; 0 so far
    bl      drop_to_el1
    adr     x0, early_vectors
    msr     vbar_el1, x0
    isb
    adr     x0, first_cpu
    ldr     x1, =first_cpu
    cmp     x0, x1
    b.ne    .Lmisplaced
    cmp     x24, #3
    b.eq    .Lwrong_level
    msr     mdscr_el1, xzr              // unknown after reset; every switch compares it
    mrs     x0, id_aa64isar0_el1
    tst     x0, #(0xf << 20)
    b.eq    .Lno_lse
.Lto_rust:
    adrp    x0, __bss_start
    add     x0, x0, :lo12:__bss_start
    adrp    x1, __bss_end
    add     x1, x1, :lo12:__bss_end
1:  cmp     x0, x1
    b.hs    2f
    stp     xzr, xzr, [x0], #16
    b       1b
2:
    // The first gigabyte is devices on every `virt`; the RAM above is normal memory.
    adrp    x0, boot_table
    add     x0, x0, :lo12:boot_table
    ldr     x1, ={BLOCK_DEVICE}
    str     x1, [x0]
    mov     x2, #1                      // gigabyte number
    ldr     x3, ={BLOCK_NORMAL}
3:  orr     x1, x3, x2, lsl #30
    str     x1, [x0, x2, lsl #3]
    add     x2, x2, #1
    cmp     x2, #{BOOT_GIB}             // as far as `virt` puts RAM for this kernel, with room
    b.ne    3b
    // The stores went past the caches: drop lines that a loader may have left there, so that the table walk, which
    // looks into them, reads what was stored.
    adrp    x1, __bss_start
    add     x1, x1, :lo12:__bss_start
    adrp    x2, __bss_end
    add     x2, x2, :lo12:__bss_end
    mrs     x3, ctr_el0                 // DminLine: log2 of the smallest line, in words
    ubfx    x3, x3, #16, #4
    mov     x4, #4
    lsl     x3, x4, x3
    dsb     sy
5:  dc      ivac, x1
    add     x1, x1, x3
    cmp     x1, x2
    b.lo    5b
    dsb     sy
    ldr     x1, ={MAIR}
    ldr     x2, ={TCR}
    ldr     x3, ={SCTLR_BOOT}
    bl      enable_mmu

    adrp    x0, exception_vectors
    add     x0, x0, :lo12:exception_vectors
    msr     vbar_el1, x0
    msr     tpidr_el1, xzr
    adrp    x0, {BOOT_TASK}
    add     x0, x0, :lo12:{BOOT_TASK}
    msr     sp_el0, x0
    adrp    x0, __boot_stack_top
    add     x0, x0, :lo12:__boot_stack_top
    mov     sp, x0
    mov     x29, xzr
    mov     x30, xzr
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    mov     x0, x19
    mov     x1, x24
    mov     x2, x21
    bl      {RUST_ENTRY}
    brk     #1

// Where the kernel cannot run, one line says so: by semihosting, which needs nothing; else by Rust on the console that
// the device tree names. Where no Rust can run either, registers alone say so to whoever looks, and the CPU halts:
// x20 = {UNHEARD} ("holdout", status), x21 = the text, x22 = its length (0: up to a NUL).
// x21 = text
.Lwrong_level:
    adr     x21, wrong_level_text
    mrs     x0, mpidr_el1               // all CPUs enter together: one speaks
    ldr     x1, ={AFFINITY}
    tst     x0, x1
    b.ne    .Lhalt
    bl      tell
    b       .Lto_rust
.Lno_lse:
    adr     x21, no_lse_text
    bl      tell
    b       .Lto_rust
.Lmisplaced:
    adr     x21, misplaced_text
    bl      tell
.Lhalt:
    ldr     x20, ={UNHEARD}
    mov     x22, xzr
4:  wfi
    b       4b

// Returns at EL1 whatever level it is called at: from EL2 with everything that EL1 uses given to it and nothing
// trapped; from EL3 into the secure world, with its memory and devices, where it is only said that the kernel cannot run.
// What is called up there from then on, as firmware, is answered: there is none.
// Uses x0, x1. Source: Arm ARM DDI 0487, D1.3 and the EL2 registers' reset values.
drop_to_el1:
    mrs     x0, CurrentEL
    cmp     x0, #(2 << 2)
    b.hi    6f
    b.eq    1f
    ret
6:  mov     x0, #0x430                  // SCR_EL3: EL1 is AArch64 and secure; its RES1 bits
    msr     scr_el3, x0
    msr     cptr_el3, xzr
    msr     mdcr_el3, xzr
    adr     x0, early_vectors
    msr     vbar_el3, x0
    ldr     x0, ={SCTLR_OFF}
    msr     sctlr_el1, x0
    mov     x0, #0x3c5                  // SPSR: as below
    msr     spsr_el3, x0
    msr     elr_el3, x30
    eret
1:  adr     x0, early_vectors
    msr     vbar_el2, x0
    mov     x0, #(1 << 31)              // HCR_EL2: EL1 is AArch64, nothing is routed here, no host extensions
    msr     hcr_el2, x0
    isb
    mrs     x0, midr_el1                // EL1 sees the CPU as it is
    msr     vpidr_el2, x0
    mrs     x0, mpidr_el1
    msr     vmpidr_el2, x0
    mov     x0, #3                      // timers and counters
    msr     cnthctl_el2, x0
    msr     cntvoff_el2, xzr
    mov     x0, #0x33ff                 // CPTR_EL2: its RES1 bits; no trap but of SVE, which is not used
    msr     cptr_el2, x0
    msr     hstr_el2, xzr
    mov     x1, xzr                     // MDCR_EL2: no debug trap; all event counters, where there are any
    mrs     x0, id_aa64dfr0_el1
    ubfx    x0, x0, #8, #4
    sub     x0, x0, #1
    cmp     x0, #14
    b.hs    2f
    mrs     x1, pmcr_el0
    ubfx    x1, x1, #11, #5
2:  msr     mdcr_el2, x1
    mrs     x0, id_aa64mmfr0_el1        // fine-grained traps, where there are any
    ubfx    x0, x0, #56, #4
    cbz     x0, 4f
    msr     S3_4_C1_C1_4, xzr           // HFGRTR_EL2
    msr     S3_4_C1_C1_5, xzr           // HFGWTR_EL2
    msr     S3_4_C1_C1_6, xzr           // HFGITR_EL2
    msr     S3_4_C3_C1_4, xzr           // HDFGRTR_EL2
    msr     S3_4_C3_C1_5, xzr           // HDFGWTR_EL2
4:  mrs     x0, id_aa64mmfr1_el1        // HCRX_EL2, where there is one: no feature beyond HCR_EL2's
    ubfx    x0, x0, #40, #4
    cbz     x0, 5f
    msr     S3_4_C1_C2_2, xzr
5:
    mrs     x0, id_aa64pfr0_el1         // the GIC's system registers, where there are any
    ubfx    x0, x0, #24, #4
    cbz     x0, 3f
    mrs     x0, S3_4_C12_C9_5           // ICC_SRE_EL2
    mov     x1, #9                      // SRE, Enable
    orr     x0, x0, x1
    msr     S3_4_C12_C9_5, x0
    isb
    msr     S3_4_C12_C11_0, xzr         // ICH_HCR_EL2
3:  msr     vttbr_el2, xzr
    ldr     x0, ={SCTLR_OFF}
    msr     sctlr_el1, x0
    mov     x0, #0x3c5                  // SPSR: EL1 with SP_EL1, D, A, I and F masked
    msr     spsr_el2, x0
    msr     elr_el2, x30
    eret

// x0 = table, x1 = MAIR, x2 = TCR, x3 = SCTLR
enable_mmu:
    msr     mair_el1, x1
    mrs     x4, id_aa64mmfr0_el1        // TCR.IPS := the physical address range, at most 48 bits
    and     x4, x4, #0xf
    mov     x5, #5
    cmp     x4, x5
    csel    x4, x4, x5, lo
    bfi     x2, x4, #32, #3
    msr     tcr_el1, x2
    msr     ttbr0_el1, x0
    dsb     ish
    tlbi    vmalle1
    ic      iallu
    dsb     ish
    isb
    msr     sctlr_el1, x3
    isb
    ret

    .global secondary_entry
secondary_entry:
    msr     daifset, #0xf
    msr     spsel, #1
    mov     x19, x0
    bl      drop_to_el1
    msr     mdscr_el1, xzr
    ldp     x0, x1, [x19, #{SECONDARY_TTBR}]    // table, MAIR
    ldp     x2, x3, [x19, #{SECONDARY_TTBR} + 16] // TCR, SCTLR
    bl      enable_mmu
    adrp    x0, exception_vectors
    add     x0, x0, :lo12:exception_vectors
    msr     vbar_el1, x0
    ldp     x0, x1, [x19, #{SECONDARY_CPU}]     // index, task
    msr     tpidr_el1, x0
    msr     sp_el0, x1
    ldr     x1, [x19, #{SECONDARY_STACK}]
    mov     sp, x1
    mov     x29, xzr
    mov     x30, xzr
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    bl      {SECONDARY_RUST_ENTRY}
    brk     #1

// Writes the text at x21 by semihosting, and ends the machine with the status of a refusal. Returns where nobody
// answers: `early_vectors` skip the HLT. Uses x0, x1; leaves in x20 to x22 what a halt does, should there be no return.
tell:
    ldr     x20, ={UNHEARD}
    mov     x22, xzr
    mov     x1, x21
    mov     x0, #4                      // SYS_WRITE0
    hlt     #0xf000
    adr     x1, refuse_block
    mov     x0, #0x20                   // SYS_EXIT_EXTENDED
    hlt     #0xf000
    ret
    .balign 8
refuse_block:
    .quad   0x20026, 2
wrong_level_text:
    .asciz  "holdout: entered at EL3, needs EL1 or EL2 (leave out secure=on)\n"
misplaced_text:
    .asciz  "holdout: loaded at another address than 0x40200000, which it is linked for: RAM must start at 0x40000000\n"
no_lse_text:
    .asciz  "holdout: this CPU has no large-system atomics (LSE), use -cpu max, cortex-a76 or neoverse-n1\n"
    .balign 8
    .ltorg
    .popsection

// The vectors before Rust's own, at each level. At EL1: nobody answers a HLT, which is skipped. At the levels above,
// for what EL1 calls: there is no firmware. For anything else: x21 is 0, no text, and x22 = where it happened.
    .pushsection .vectors, "ax", %progbits
    .balign 2048
early_vectors:
    .org    early_vectors + 0x200       // synchronous, from this level
    mrs     x0, esr_el1
    lsr     x0, x0, #26                 // EC: 0 is an undefined instruction
    cbnz    x0, early_fault
    mrs     x0, elr_el1
    add     x0, x0, #4
    msr     elr_el1, x0
    eret
early_fault:
    ldr     x20, ={UNHEARD}
    mov     x21, xzr
    mrs     x22, elr_el1
1:  wfi
    b       1b
    .org    early_vectors + 0x400       // synchronous, from a lower level
    mov     x0, #-1                     // NOT_SUPPORTED. Source: Arm DEN 0028, 5.2
    eret
    .balign 8
    .ltorg
    .org    early_vectors + 0x800
    .popsection

    .pushsection .bss.boot_table, "aw", %nobits
    .balign 4096
boot_table:
    .skip   4096
    .popsection

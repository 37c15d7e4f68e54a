/* Devicetree Specification 0.4, chapter 5: flattened format. All fields are big-endian. */

export const FDT_MAGIC = 0xd00d_feed;
/** Version that is written; the parser takes any that this one is compatible with. */
export const FDT_VERSION = 17;
export const FDT_COMPATIBLE_VERSION = 16;
export const FDT_HEADER_SIZE = 40;

export const FDT_BEGIN_NODE = 1;
export const FDT_END_NODE = 2;
export const FDT_PROP = 3;
export const FDT_NOP = 4;
export const FDT_END = 9;

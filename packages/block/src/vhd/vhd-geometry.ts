/** Cylinders, heads, sectors a track. */
export interface VhdGeometry {
  readonly cylinders: number;
  readonly heads: number;
  readonly sectors: number;
}

/** The largest geometry: a disk that has it is as large as the footer's size says. */
export const LARGEST_GEOMETRY: VhdGeometry = { cylinders: 65535, heads: 16, sectors: 255 };

/** Sectors of a geometry. */
export function sectorsOf({ cylinders, heads, sectors }: VhdGeometry): number {
  return cylinders * heads * sectors;
}

/** The geometry for a number of sectors; it may hold fewer. Source: VHD specification, appendix "CHS calculation". */
export function geometryOf(total: number): VhdGeometry {
  const most = sectorsOf(LARGEST_GEOMETRY);
  const capped = Math.min(total, most);
  if (capped >= 65535 * 16 * 63)
    return { heads: 16, sectors: 255, cylinders: Math.floor(capped / (16 * 255)) };
  let sectors = 17;
  let tracks = Math.floor(capped / sectors);
  let heads = Math.max(4, Math.floor((tracks + 1023) / 1024));
  if (tracks >= heads * 1024 || heads > 16) {
    sectors = 31;
    heads = 16;
    tracks = Math.floor(capped / sectors);
  }
  if (tracks >= heads * 1024) {
    sectors = 63;
    heads = 16;
    tracks = Math.floor(capped / sectors);
  }
  return { heads, sectors, cylinders: Math.floor(tracks / heads) };
}

/** The smallest geometry that holds so many sectors, as far as one can. */
export function geometryFor(total: number): VhdGeometry {
  const most = sectorsOf(LARGEST_GEOMETRY);
  for (let sectors = total; sectors < most; sectors++) {
    const geometry = geometryOf(sectors);
    if (sectorsOf(geometry) >= total) return geometry;
  }
  return LARGEST_GEOMETRY;
}

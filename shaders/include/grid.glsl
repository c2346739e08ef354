// Places in a picture are whole numbers of sub-pixels, so that two triangles agree about their common edge.
const int SUBPIXELS = 1 << SUBPIXEL_BITS;

// The pixels whose centres may lie in a box of sub-pixels: the first and the last, both ways.
ivec4 pixels_within(ivec2 low, ivec2 high) {
    return ivec4((low + SUBPIXELS / 2 - 1) >> SUBPIXEL_BITS,
                 (high - SUBPIXELS / 2) >> SUBPIXEL_BITS);
}

ivec2 centre_of(ivec2 pixel) {
    return pixel * SUBPIXELS + SUBPIXELS / 2;
}

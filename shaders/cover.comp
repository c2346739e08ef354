#version 430 core
// Which pixels each face covers, and how near it is there: a face an invocation.
layout(local_size_x = 64) in;

#include "item.glsl"
#include "grid.glsl"
#include "faces.glsl"
#include "seen.glsl"

const int WIDEST = 64; // pixels: beyond it the products below leave 32 bits
const int MOST = 1024;

// Twice the area of a triangle of sub-pixels; its sign says which way round.
int area_of(ivec2 a, ivec2 b, ivec2 c) {
    return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
}

void cover(uint face, Corner a, Corner b, Corner c, ivec4 pixels) {
    int area = area_of(a.at, b.at, c.at);
    int way = sign(area);
    ivec2 pixel = pixels.xy;
    // One loop over rows and columns: neighbouring invocations, which wait for each other, end sooner.
    for (int left = (pixels.z - pixels.x + 1) * (pixels.w - pixels.y + 1); left > 0; left--) {
        ivec2 p = centre_of(pixel);
        int of_b = way * area_of(a.at, p, c.at);
        int of_c = way * area_of(a.at, b.at, p);
        int of_a = way * area - of_b - of_c;
        if (area != 0 && (of_a | of_b | of_c) >= 0) {
            precise float rise = float(of_b) * (b.key - a.key) + float(of_c) * (c.key - a.key);
            precise float key = a.key + rise / float(way * area);
            show(pixel, key, face);
        }
        pixel.x++;
        if (pixel.x > pixels.z) pixel = ivec2(pixels.x, pixel.y + 1);
    }
}

void main() {
    uint face = item();
    if (face >= face_count) return;
    Corner a = corner(face, 0u), b = corner(face, 1u), c = corner(face, 2u);
    ivec4 pixels = pixels_within(min(min(a.at, b.at), c.at), max(max(a.at, b.at), c.at));
    ivec2 wide = pixels.zw - pixels.xy + 1;
    if (min(min(a.key, b.key), c.key) <= 0.0 || min(wide.x, wide.y) <= 0) return;
    if (max(wide.x, wide.y) > WIDEST || wide.x * wide.y > MOST) {
        if (!naming) large[atomicAdd(large_count, 1u)] = face;
        return;
    }
    pixels = ivec4(max(pixels.xy, box.xy), min(pixels.zw, box.xy + box.zw - 1));
    if (pixels.z >= pixels.x && pixels.w >= pixels.y) cover(face, a, b, c, pixels);
}

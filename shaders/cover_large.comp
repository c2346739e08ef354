#version 430 core
// The same for the faces that cover many pixels: a work group takes one, each invocation some of its pixels.
layout(local_size_x = 64) in;

#include "grid.glsl"
#include "faces.glsl"
#include "seen.glsl"

double area_of(ivec2 a, ivec2 b, ivec2 c) {
    return double(b.x - a.x) * double(c.y - a.y) - double(b.y - a.y) * double(c.x - a.x);
}

void cover(uint face) {
    Corner a = corner(face, 0u), b = corner(face, 1u), c = corner(face, 2u);
    ivec4 pixels = pixels_within(min(min(a.at, b.at), c.at), max(max(a.at, b.at), c.at));
    pixels = ivec4(max(pixels.xy, box.xy), min(pixels.zw, box.xy + box.zw - 1));
    ivec2 wide = max(pixels.zw - pixels.xy + 1, 0);
    double area = area_of(a.at, b.at, c.at);
    if (area == 0.0) return;
    for (int i = int(gl_LocalInvocationID.x); i < wide.x * wide.y; i += int(gl_WorkGroupSize.x)) {
        ivec2 pixel = pixels.xy + ivec2(i % wide.x, i / wide.x);
        ivec2 p = centre_of(pixel);
        double of_b = area_of(a.at, p, c.at) / area;
        double of_c = area_of(a.at, b.at, p) / area;
        if (min(of_b, of_c) < 0.0 || of_b + of_c > 1.0) continue;
        precise double key = double(a.key) + of_b * double(b.key - a.key) + of_c * double(c.key - a.key);
        show(pixel, float(key), face);
    }
}

void main() {
    for (uint i = gl_WorkGroupID.x; i < large_count; i += gl_NumWorkGroups.x) {
        cover(large[i]);
    }
}

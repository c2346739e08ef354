#version 430 core
// The same for the faces that cover many pixels: a column of work groups takes one, each invocation some of its
// pixels. No loop of Mesa's software rasteriser goes round more than 65,535 times.
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
    double way = sign(area);
    if (area == 0.0) return;
    int share = int(gl_WorkGroupID.y * gl_WorkGroupSize.x + gl_LocalInvocationID.x);
    int shares = int(gl_NumWorkGroups.y * gl_WorkGroupSize.x);
    for (int i = share; i < wide.x * wide.y; i += shares) {
        ivec2 pixel = pixels.xy + ivec2(i % wide.x, i / wide.x);
        ivec2 p = centre_of(pixel);
        // Whole numbers, without a rounding: of two faces, one at least has what lies on their common edge.
        double of_b = way * area_of(a.at, p, c.at);
        double of_c = way * area_of(a.at, b.at, p);
        if (min(min(of_b, of_c), way * area - of_b - of_c) < 0.0) continue;
        precise double rise = of_b * double(b.key - a.key) + of_c * double(c.key - a.key);
        precise double key = double(a.key) + rise / (way * area);
        show(pixel, float(key), face);
    }
}

void main() {
    for (uint i = gl_WorkGroupID.x; i < large_count; i += gl_NumWorkGroups.x) {
        cover(large[i]);
    }
}

// What the rays of a box of pixels meet. Four numbers a pixel, 0 at first: the key of the nearest surface, that
// of the farthest (its bits turned over), and the face that has each, counted from 1. A key is larger the
// nearer a place is, and changes evenly across the picture. The largest number wins, so order does not matter.
layout(std430, binding = SEEN) buffer Seen { uint seen[]; };

uniform ivec4 box; // first column, first row, columns, rows
uniform bool naming; // the second time round: whose key is it

uint seen_at(ivec2 pixel) {
    return 4u * uint((pixel.y - box.y) * box.z + pixel.x - box.x);
}

// A face may be what its pixel's ray meets first, or last.
void show(ivec2 pixel, float key, uint face) {
    uint at = seen_at(pixel);
    uint near = floatBitsToUint(key);
    uint far = ~near;
    if (naming) {
        if (seen[at] == near) atomicMax(seen[at + 2u], face + 1u);
        if (seen[at + 1u] == far) atomicMax(seen[at + 3u], face + 1u);
    } else {
        atomicMax(seen[at], near);
        atomicMax(seen[at + 1u], far);
    }
}

// The faces, where their corners fall in the picture, and which are too large for one invocation.
layout(std430, binding = FACES) readonly buffer Faces { uint corners[]; };
layout(std430, binding = PLACED) readonly buffer Placed { int placed[]; };
layout(std430, binding = LARGE) buffer Large {
    uint large_count;
    uint large[];
};

uniform uint face_count;

struct Corner {
    ivec2 at;
    float key; // 0 = behind the camera
};

Corner corner(uint face, uint which) {
    uint at = 3u * corners[3u * face + which];
    return Corner(ivec2(placed[at], placed[at + 1u]), intBitsToFloat(placed[at + 2u]));
}

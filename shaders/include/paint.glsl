// The colour of a place on a face: its corners' colours, or a texture.
layout(std430, binding = COLORS) readonly buffer Colors { uint colors[]; };

vec3 corner_paint(uvec3 corners, vec3 weights) {
    vec3 a = unpackUnorm4x8(colors[corners.x]).rgb;
    vec3 b = unpackUnorm4x8(colors[corners.y]).rgb;
    vec3 c = unpackUnorm4x8(colors[corners.z]).rgb;
    return mixed(weights, a, b, c);
}

#if TEXTURED
layout(std430, binding = UVS) readonly buffer Uvs { vec2 uvs[]; };
layout(std430, binding = FACE_UVS) readonly buffer FaceUvs { int face_uvs[]; };
layout(std430, binding = FACE_TEXTURES) readonly buffer FaceTextures { int face_textures[]; };

uniform sampler2D picture;

int texture_of(uint face) {
    return face_uvs[3u * face] < 0 ? -1 : face_textures[face];
}

vec2 spot(vec3 weights, uint face) {
    vec2 a = uvs[face_uvs[3u * face]], b = uvs[face_uvs[3u * face + 1u]], c = uvs[face_uvs[3u * face + 2u]];
    vec2 uv = weights.x * a + weights.y * b + weights.z * c;
    return vec2(uv.x, 1.0 - uv.y); // v counts upwards, the rows of a picture downwards
}

// `right` and `below` are the weights where the neighbouring pixels' rays meet the face's plane.
vec3 texture_paint(uint face, vec3 weights, vec3 right, vec3 below) {
    vec2 at = spot(weights, face);
    return textureGrad(picture, at, spot(right, face) - at, spot(below, face) - at).rgb;
}
#else
int texture_of(uint face) {
    return -1;
}
#endif

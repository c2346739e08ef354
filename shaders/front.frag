#version 330 core

#include "harmonics.glsl"
#include "srgb.glsl"

uniform vec3 eye;
uniform vec3 light[9];

in vec3 place;
in vec3 normal;
in vec3 color;

layout(location = 0) out vec4 plain;
layout(location = 1) out float ray_length;
layout(location = 2) out vec4 shaded;

void main() {
    plain = vec4(color, 1.0);
    ray_length = distance(eye, place);
    vec3 received = irradiance(normalize(normal), light);
    shaded = vec4(to_srgb(to_linear(color) * received), 1.0);
}

#version 330 core

uniform vec3 eye;

in vec3 place;
in vec3 color;

layout(location = 0) out vec4 plain;
layout(location = 1) out float ray_length;

void main() {
    plain = vec4(color, 1.0);
    ray_length = distance(eye, place);
}

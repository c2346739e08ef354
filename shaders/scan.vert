#version 330 core

uniform mat4 world_to_clip;
uniform mat3 turn;

in vec3 vertex;
in vec3 vertex_normal;
in vec3 vertex_color;

out vec3 place;
out vec3 normal;
out vec3 color;

void main() {
    place = turn * vertex;
    normal = turn * vertex_normal;
    color = vertex_color;
    gl_Position = world_to_clip * vec4(place, 1.0);
}
